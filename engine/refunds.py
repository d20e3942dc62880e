"""Refunds: a credit gives back a purchase, wholly or in part, by postings that add; the purchase's own stay.

Rules: docs/domain.md, "Refunds". This file decides; it changes nothing.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs

from engine import alerts, budget_alerts, budgets, foreign, receipts, spent, transactions
from engine.alerts import Draft
from engine.allocation import split
from engine.behaviour import Context, Decision, Facts, FieldError, Refused, invalid
from engine.commands import EditTransaction, RecordTransaction, RefundPolicy
from engine.events import DatedAmount, JarShare, Posting, TransactionRecorded, TransactionRefunded
from engine.kinds import INCOME_KINDS, SPEND_KINDS
from engine.ledger import PARKED, PROMISED, WALLET, jar_account, transfer
from engine.parked import Waiting
from engine.periods import budget_period
from engine.state import USER_STREAK, UserState
from engine.views import Recorded, Refunded, TakenBack, TransactionView

IS_PARKED, IS_EXCESS = "parked", "excess_refund"
EXCESS = "income:refund"
_STAGE = "accrued"
"""Only what is promised is taken back: nothing else is in a jar yet."""


class Credit(Struct, frozen=True):
    """The money that gives back: the account it is in, and the policy for the round-up. `excess` may be above."""

    view: TransactionView
    account: str
    policy: RefundPolicy
    excess: bool
    recorded: TransactionRecorded | None = None


def record(state: UserState, command: RecordTransaction, facts: Facts, context: Context) -> Decision:
    """Decide a refund on its arrival; one whose purchase is not known is parked. Raises `Refused`."""
    credit = transactions.recorded(state, command, context, state.profile.today(context.at))
    name = command.original_external_id
    if name == command.external_id:
        raise invalid("original_external_id", "names the refund itself; give the external_id of the purchase")
    original = facts.by_identity.get((command.origin, command.source, name)) if name is not None else None
    if original is None:
        return _park(state, credit, context)
    check_pair(original, command.currency, "original_external_id")
    credit = structs.replace(credit, postings=[])
    from_provider = command.origin != "user"
    given = Credit(receipts.transaction(credit), WALLET, state.profile.refund_policy, from_provider, credit)
    event, result = give_back(state, original, given, context)
    return Decision([event], result)


def _park(state: UserState, credit: TransactionRecorded, context: Context) -> Decision:
    if credit.original_external_id is not None:
        state.parked.check_room(context.at)
    event = structs.replace(credit, flags=[*credit.flags, IS_PARKED])
    today = state.profile.today(context.at)
    streak = state.streaks[USER_STREAK].at(today)
    return Decision([event], Recorded(streak=streak, reason=IS_PARKED))


def parked(state: UserState, event: TransactionRecorded) -> None:
    """Take over a refund that waits for the purchase it names, with the policy in force now."""
    if event.original_external_id is not None:
        view = receipts.transaction(event)
        state.parked.park(Waiting(view, event.original_external_id, state.profile.refund_policy))


def record_purchase(
    state: UserState, command: RecordTransaction, context: Context, evolve: Callable[[UserState, Any], None]
) -> Decision:
    """Decide a payment when refunds are parked: those that wait for it give it back in its own turn.

    Alerts, budgets and jars are told as they stand after them. `evolve` applies events to a copy of the state.
    """
    today = state.profile.today(context.at)
    event = transactions.recorded(state, command, context, today)
    original = receipts.transaction(event)
    waiting = state.parked.of(original) if command.kind in SPEND_KINDS else []
    if not waiting:
        return transactions.record(state, command, context)
    after: UserState = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=UserState)
    evolve(after, event)
    events: list[Any] = [event]
    results: list[Refunded] = []
    for one in waiting:
        refund, result = give_back(after, original, Credit(one.credit, PARKED, one.policy, excess=True), context)
        evolve(after, refund)
        events.append(refund)
        results.append(result)
        original = result.original
    standing: list[budgets.Standing] = []
    if event.counts_as_spend:
        standing = spent.standings(after, event.category, event.local_date, 0)
    streak, drafts = transactions.streak_after(state, event, today)
    drafts = _net_alerts(state, after, event, standing, today) + drafts
    events += alerts.raise_all(state.alerts, drafts, context, today)
    return Decision(events, Recorded(budgets=budgets.lines(standing), streak=streak, refunds=results))


def _net_alerts(
    state: UserState, after: UserState, event: TransactionRecorded, standing: list[budgets.Standing], today: date
) -> list[Draft]:
    currency = event.currency
    drafts = budget_alerts.of_spend(after, standing, today)
    drafts += budget_alerts.of_pace(after, standing, today, (event.local_date, 0))
    for part in event.shares:
        before = state.jars[part.jar_id]
        net = JarShare(part.jar_id, after.jars[part.jar_id].saved - before.saved)
        drafts += transactions.jar_alerts(before, net, currency)
    return drafts


def link(state: UserState, command: EditTransaction, facts: Facts, context: Context) -> Decision:
    """Decide that a settled credit of the user was the refund of a purchase; what it counted as is reversed."""
    refund_of = command.refund_of
    assert refund_of is not UNSET
    if any(value is not UNSET for value in (command.category, command.description, command.note)):
        raise invalid("refund_of", "goes alone: a refund takes the category of its purchase; edit the rest apart")
    credit: TransactionView | None = facts.transactions.get(command.transaction_id)
    if credit is None:
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    if credit.refund_of is not None:
        raise Refused("conflict", f"the transaction is the refund of {credit.refund_of!r} already")
    if credit.kind not in INCOME_KINDS and credit.kind != "refund":
        raise invalid("refund_of", f"the transaction is a {credit.kind}; only an income or a parked refund can be one")
    original: TransactionView | None = facts.transactions.get(refund_of)
    if original is None:
        raise invalid("refund_of", f"there is no transaction {refund_of!r}")
    check_pair(original, credit.currency, "refund_of")
    account = PARKED if credit.kind == "refund" else f"income:{credit.category}"
    waiting = state.parked.waiting.get(credit.transaction_id)
    policy = waiting.policy if waiting is not None else state.profile.refund_policy
    event, result = give_back(state, original, Credit(credit, account, policy, excess=False), context)
    return Decision([event], structs.replace(result, linked=True))


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
    remaining = original.amount - original.refunded_amount
    amount = min(credit.view.amount, remaining)
    excess = credit.view.amount - amount
    if excess and not credit.excess:
        message = f"{credit.view.amount} is more than the {remaining} that is left to refund"
        raise Refused("invalid", f"amount: {message}", [FieldError("amount", message)], remaining=remaining)
    today = state.profile.today(context.at)
    day = date_of(state, original, today)
    taken = take_back(state, original, original.refunded_amount + amount, credit.policy, context.at)
    standing: list[budgets.Standing] = []
    if original.counts_as_spend:
        standing = spent.standings(state, original.category, day, -amount)
    after = _original_after(original, DatedAmount(day, amount), taken, credit.view)
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
        postings=undone + _postings(original, credit.account, amount, excess, taken),
        excess=excess,
        shares=[JarShare(part.jar_id, -part.amount) for part in taken if part.amount],
        rearmed=budgets.marks_to_rearm(standing, state.alerts, today),
        merchant=original.merchant.name,
        credit=_recorded_after(credit.recorded, view),
    )
    streak = state.streaks[USER_STREAK].at(today)
    return event, Refunded(transaction=view, original=after, budgets=budgets.lines(standing), streak=streak)


def date_of(state: UserState, original: TransactionView, today: date) -> date:
    """Return the local date on which budgets get a refund back: the purchase's own while all its periods run.

    Else today, which lies in the purchase's period wherever that runs, and in the current one elsewhere; so one date
    is right for every budget, weekly and monthly. A purchase dated into tomorrow is not given back before.
    """
    day = original.local_date
    periods = [budget.bounds(today) for budget in spent.budgets_of(state, original.category, day)]
    periods.append(budget_period(today, "monthly", 1))
    return day if all(start <= day < end for start, end in periods) else max(day, today)


def take_back(
    state: UserState, original: TransactionView, refunded: int, policy: RefundPolicy, at: datetime
) -> list[TakenBack]:
    """Return what a refund does to each jar's part of the round-up, `refunded` being the total after it.

    Cumulative, so that many small refunds take as much as a big one: half_up(saved x refunded / amount), split over
    the jars by largest remainder, less what was taken or kept before, as far as the jar has it.
    """
    saved = sum(part.amount for part in original.jar_postings)
    if not saved:
        return []
    target = (2 * saved * refunded + original.amount) // (2 * original.amount)
    settled = {part.jar_id: part.amount + part.kept for part in original.taken_back}
    due = target - sum(settled.values())
    taken = []
    goals = split(target, [part.amount for part in original.jar_postings])
    for share, goal in zip(original.jar_postings, goals, strict=True):
        part = min(goal - settled.get(share.jar_id, 0), due)
        if part <= 0:
            continue
        due -= part
        jar = state.jars.get(share.jar_id)
        if policy == "keep" or (jar is not None and jar.locked_at(at) is not None):
            taken.append(TakenBack(share.jar_id, 0, part))
        else:
            held = state.ledger.balance(jar_account(share.jar_id, _STAGE), original.currency)
            taken.append(TakenBack(share.jar_id, min(part, held)))
    return taken


def _postings(
    original: TransactionView, account: str, amount: int, excess: int, taken: list[TakenBack]
) -> list[Posting]:
    currency = original.currency
    postings = transfer(account, f"expense:{original.category}", amount, currency)
    postings += transfer(account, EXCESS, excess, currency)
    for part in taken:
        postings += transfer(PROMISED, jar_account(part.jar_id, _STAGE), part.amount, currency)
    return postings


def _original_after(
    original: TransactionView, given: DatedAmount, taken: list[TakenBack], credit: TransactionView
) -> TransactionView:
    by_day = {part.local_date: part.amount for part in original.refunds}
    if given.amount:
        by_day[given.local_date] = by_day.get(given.local_date, 0) + given.amount
    by_jar = {part.jar_id: part for part in original.taken_back}
    for part in taken:
        was = by_jar.get(part.jar_id, TakenBack(part.jar_id, 0))
        by_jar[part.jar_id] = TakenBack(part.jar_id, was.amount + part.amount, was.kept + part.kept)
    return structs.replace(
        original,
        refunded_amount=original.refunded_amount + given.amount,
        refunded_original=original.refunded_original + foreign.reported(credit, original),
        refunds=[DatedAmount(day, amount) for day, amount in by_day.items()],
        taken_back=list(by_jar.values()),
    )


def _credit_after(credit: TransactionView, original: TransactionView, excess: int) -> TransactionView:
    flags = [flag for flag in credit.flags if flag != IS_PARKED]
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
