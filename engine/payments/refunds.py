"""Refunds: a credit gives back a purchase, wholly or in part, by postings that add; the purchase's own stay.

Rules: docs/domain.md, "Refunds". This file decides; it changes nothing.
"""

from datetime import date

from msgspec import UNSET, Struct, structs

from engine import receipts
from engine.accounts import foreign
from engine.behaviour import Context, Decision, Facts, FieldError, Refused, invalid
from engine.commands import EditTransaction, RecordTransaction, RefundPolicy
from engine.events import (
    DatedAmount,
    JarShare,
    Posting,
    TimerCancelled,
    TimerSet,
    TransactionRecorded,
    TransactionRefunded,
)
from engine.kinds import INCOME_KINDS, SPEND_KINDS
from engine.ledger import PARKED, WALLET, transfer
from engine.payments import standing, taking_back, transactions
from engine.payments.life import HIDDEN
from engine.payments.parked import IS_PARKED, UNMATCHED, Waiting, timer, timer_id
from engine.payments.standing import EXCESS
from engine.periods import budget_period
from engine.planning import budgets, spent
from engine.state import USER_STREAK, UserState
from engine.views import NO_LIFE, Recorded, Refunded, TakenBack, TransactionView

IS_EXCESS = "excess_refund"


class Credit(Struct, frozen=True):
    """The money that gives back: the account it is in, and the policy for the round-up. `excess` may be above."""

    view: TransactionView
    account: str
    policy: RefundPolicy
    excess: bool
    recorded: TransactionRecorded | None = None


def record(
    state: UserState, command: RecordTransaction, facts: Facts, context: Context, known_id: str | None = None
) -> Decision:
    """Decide a refund on its arrival; one whose purchase is not known is parked. Raises `Refused`.

    One that is not settled moves nothing yet. `known_id` is its transaction when it was announced before.
    """
    credit = transactions.recorded(state, command, context, state.profile.today(context.at))
    if known_id is not None:
        credit = structs.replace(credit, transaction_id=known_id)
    name = command.original_external_id
    if name == command.external_id:
        raise invalid("original_external_id", "names the refund itself; give the external_id of the purchase")
    original = facts.by_identity.get((command.origin, command.source, name)) if name is not None else None
    if credit.status != "settled":
        return Decision([credit], Recorded(streak=state.streaks[USER_STREAK].at(state.profile.today(context.at))))
    if original is None or original.status in HIDDEN:
        return _park(state, credit, original, context)
    check_pair(original, command.currency, "original_external_id")
    credit = structs.replace(credit, postings=[])
    from_provider = command.origin != "user"
    given = Credit(receipts.transaction(credit), WALLET, state.profile.refund_policy, from_provider, credit)
    event, result = give_back(state, original, given, context)
    return Decision([event], result)


def _park(
    state: UserState, credit: TransactionRecorded, original: TransactionView | None, context: Context
) -> Decision:
    """Let a refund wait; one of a duplicate waits a moment, and then gives back the payment that counts."""
    if credit.original_external_id is not None:
        state.parked.check_room(context.at)
    event = structs.replace(credit, flags=[*credit.flags, IS_PARKED])
    today = state.profile.today(context.at)
    streak = state.streaks[USER_STREAK].at(today)
    timers = [timer(receipts.transaction(event))]
    if original is not None and original.duplicate is not None:
        timers.append(link_later(event.transaction_id, original.duplicate.of, context))
    return Decision([event, *timers], Recorded(streak=streak, reason=IS_PARKED))


def link_later(refund_id: str, purchase_id: str, context: Context) -> TimerSet:
    """Return the timer by which a refund that names a duplicate gives back the payment that counts."""
    link = EditTransaction(transaction_id=refund_id, refund_of=purchase_id, by="rule")
    return TimerSet(timer_id=f"link:{refund_id}", due=context.at, command=link)


def parked(state: UserState, event: TransactionRecorded) -> None:
    """Take over a refund that waits for the purchase it names, with the policy in force now."""
    if event.original_external_id is not None:
        view = receipts.transaction(event)
        state.parked.park(Waiting(view, event.original_external_id, state.profile.refund_policy))


def link(state: UserState, command: EditTransaction, facts: Facts, context: Context) -> Decision:
    """Decide that a settled credit of the user was the refund of a purchase; what it counted as is reversed."""
    refund_of = command.refund_of
    assert refund_of is not UNSET
    if any(value is not UNSET for value in (command.category, command.description, command.note)):
        raise invalid("refund_of", "goes alone: a refund takes the category of its purchase; edit the rest apart")
    credit: TransactionView | None = facts.transactions.get(command.transaction_id)
    if credit is None or credit.status in HIDDEN:
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    if credit.status != "settled":
        raise Refused("conflict", f"the transaction is {credit.status}; only settled money can give back")
    if credit.refund_of is not None:
        raise Refused("conflict", f"the transaction is the refund of {credit.refund_of!r} already")
    if credit.kind not in INCOME_KINDS and credit.kind != "refund":
        raise invalid("refund_of", f"the transaction is a {credit.kind}; only an income or a parked refund can be one")
    original: TransactionView | None = facts.transactions.get(refund_of)
    if original is None or original.status in HIDDEN:
        raise invalid("refund_of", f"there is no transaction {refund_of!r}")
    check_pair(original, credit.currency, "refund_of")
    account = f"income:{credit.category}"
    if credit.kind == "refund":
        account = EXCESS if UNMATCHED in credit.flags else PARKED
    waiting = state.parked.waiting.get(credit.transaction_id)
    policy = waiting.policy if waiting is not None else state.profile.refund_policy
    event, result = give_back(state, original, Credit(credit, account, policy, excess=command.by == "rule"), context)
    timers = [TimerCancelled(timer_id=timer_id(credit.transaction_id))] if account == PARKED else []
    return Decision([event, *timers], structs.replace(result, linked=True))


def check_pair(original: TransactionView, currency: str, field: str) -> None:
    """Refuse to give back what is no spend, or in another currency than it was spent in."""
    if original.kind not in SPEND_KINDS:
        raise invalid(field, f"names a {original.kind}; only what was spent can be refunded")
    if currency not in (original.currency, original.original.currency):
        paid = original.original.currency
        raise invalid("currency", f"the purchase is in {paid}; a refund of it cannot be in {currency}")


def _at_home(credit: Credit, original: TransactionView) -> tuple[Credit, list[Posting]]:
    """Return a credit at its purchase's rate, and what takes it out of the account where it waited in its own."""
    was = credit.view
    undone = [] if credit.recorded is not None else transfer(credit.account, WALLET, was.amount, was.currency)
    return structs.replace(credit, view=foreign.revalued(was, original), account=WALLET), undone


def give_back(
    state: UserState, original: TransactionView, credit: Credit, context: Context
) -> tuple[TransactionRefunded, Refunded]:
    """Return the event by which a credit gives back a purchase, with both transactions after it. Raises `Refused`."""
    undone: list[Posting] = []
    if credit.view.currency != original.currency:
        credit, undone = _at_home(credit, original)
    original = taking_back.followed(state, original)
    remaining = standing.counted(original) - original.refunded_amount
    amount = min(credit.view.amount, remaining)
    excess = credit.view.amount - amount
    if excess and not credit.excess:
        message = f"{credit.view.amount} is more than the {remaining} that is left to refund"
        raise Refused("invalid", f"amount: {message}", [FieldError("amount", message)], remaining=remaining)
    today = state.profile.today(context.at)
    day = date_of(state, original, today)
    policy = "keep" if _only_said(state, credit.view) else credit.policy
    taken, out = taking_back.take_back(state, original, original.refunded_amount + amount, policy, context)
    after_it: list[budgets.Standing] = []
    if original.counts_as_spend:
        after_it = spent.standings(state, original.category, day, -amount)
    after = _original_after(original, DatedAmount(day, amount), taken, credit.view, excess)
    view = _credit_after(credit.view, original, excess)
    event = TransactionRefunded(
        transaction_id=view.transaction_id,
        original_id=original.transaction_id,
        at=context.at,
        local_date=day,
        amount=amount,
        currency=original.currency,
        category=original.category,
        counts_as_spend=original.counts_as_spend,
        postings=undone + _postings(original, credit.account, amount, excess) + out,
        excess=excess,
        shares=[JarShare(part.jar_id, -part.amount) for part in taken if part.amount],
        rearmed=budgets.marks_to_rearm(after_it, state.alerts, today),
        merchant=original.merchant.name,
        hold=taking_back.hold_after(state, original, taken),
        saved=_saved_today(state, original, taken, today),
        on=today,
        credit=_recorded_after(credit.recorded, view),
    )
    streak = state.streaks[USER_STREAK].at(today)
    return event, Refunded(transaction=view, original=after, budgets=budgets.lines(after_it), streak=streak)


def _only_said(state: UserState, credit: TransactionView) -> bool:
    """Whether nobody but the person tells of the money that came back, where that moves no savings."""
    return state.profile.tenant_mode == "live" and credit.provenance == "self_reported"


def date_of(state: UserState, original: TransactionView, today: date) -> date:
    """Return the local date on which budgets get a refund back: the purchase's own while all its periods run.

    Else today, which lies in the purchase's period wherever that runs, and in the current one elsewhere; so one date
    is right for every budget, weekly and monthly. A purchase dated into tomorrow is not given back before.
    """
    day = original.local_date
    periods = [budget.bounds(today) for budget in spent.budgets_of(state, original.category, day)]
    periods.append(budget_period(today, "monthly", 1))
    return day if all(start <= day < end for start, end in periods) else max(day, today)


def _saved_today(state: UserState, original: TransactionView, taken: list[TakenBack], today: date) -> int:
    """Return what the daily cap gets back: what was saved on this very date."""
    same_day = state.profile.today(original.recorded_at) == today
    return -sum(part.amount for part in taken) if same_day else 0


def _postings(original: TransactionView, account: str, amount: int, excess: int) -> list[Posting]:
    postings = transfer(account, f"expense:{original.category}", amount, original.currency)
    return postings + transfer(account, EXCESS, excess, original.currency)


def _original_after(
    original: TransactionView, given: DatedAmount, taken: list[TakenBack], credit: TransactionView, excess: int
) -> TransactionView:
    by_day = {part.local_date: part.amount for part in original.refunds}
    if given.amount:
        by_day[given.local_date] = by_day.get(given.local_date, 0) + given.amount
    by_jar = {part.jar_id: part for part in original.taken_back}
    for part in taken:
        was = by_jar.get(part.jar_id, TakenBack(part.jar_id, 0))
        by_jar[part.jar_id] = TakenBack(part.jar_id, was.amount + part.amount, was.kept + part.kept)
    life = original.life or NO_LIFE
    return structs.replace(
        original,
        refunded_amount=original.refunded_amount + given.amount,
        refunded_original=original.refunded_original + foreign.reported(credit, original),
        refunds=[DatedAmount(day, amount) for day, amount in by_day.items()],
        taken_back=list(by_jar.values()),
        life=structs.replace(life, refund_excess=life.refund_excess + excess) if excess else original.life,
    )


def _credit_after(credit: TransactionView, original: TransactionView, excess: int) -> TransactionView:
    flags = [flag for flag in credit.flags if flag not in (IS_PARKED, UNMATCHED)]
    return structs.replace(
        credit,
        kind="refund",
        category=original.category,
        confidence=original.confidence,
        category_by="original",
        refund_of=original.transaction_id,
        flags=[*flags, IS_EXCESS] if excess else flags,
    )


def _recorded_after(recorded: TransactionRecorded | None, view: TransactionView) -> TransactionRecorded | None:
    if recorded is None:
        return None
    return structs.replace(
        recorded,
        amount=view.amount,
        currency=view.currency,
        original=foreign.said(view),
        category=view.category,
        confidence=view.confidence,
        category_by=view.category_by,
        flags=view.flags,
    )
