"""The life of a refund: nothing until it is settled, then what it gives back; undone when it is voided or reversed.

Undoing is the difference of what the purchase stands for with the refund and without it, posted in a turn of its own.
"""

from typing import Any

from msgspec import Struct, structs

from engine import receipts
from engine.accounts import foreign
from engine.behaviour import Context, Decision, Facts, Refused
from engine.commands import ExpireRefund, RecordTransaction, UndoRefund
from engine.events import TimerCancelled, TimerSet, TransactionChanged
from engine.ledger import PARKED, WALLET, transfer
from engine.payments import aftermath, life, parked, refunds, settling, standing, taking_back
from engine.payments import transactions as payments
from engine.payments.aftermath import Evolve
from engine.payments.parked import IS_PARKED, UNMATCHED
from engine.payments.standing import EXCESS
from engine.state import USER_STREAK, UserState
from engine.views import NO_LIFE, Changed, Refunded, Shown, TransactionView


class Undone(Struct, frozen=True):
    """What takes a refund back again, and its purchase after that; none for one that had not found it."""

    events: list[Any]
    original: TransactionView | None


def report(
    state: UserState, known: TransactionView, command: RecordTransaction, facts: Facts, context: Context, evolve: Evolve
) -> Decision:
    """Decide another report of a known refund. Raises `Refused`."""
    payments.check(command, context)
    verdict = life.judge(known, command)
    if verdict != "counts":
        return settling.unchanged(state, known, verdict, context)
    if command.status == "settled":
        if known.status == "settled":
            return _amend(state, known, command, facts, context, evolve)
        return refunds.record(state, command, facts, context, known.transaction_id)
    now = structs.replace(known, status=command.status, revision=command.revision)
    if known.status != "settled":
        effect = life.effect_of(known.status, command.status)
        return Decision([], Changed(transaction=now, effect=effect, streak=_streak(state, context)))
    named = (command.origin, command.source, command.original_external_id or "")
    return undo(state, now, facts.by_identity.get(named), context, evolve)


def _streak(state: UserState, context: Context) -> Any:
    return state.streaks[USER_STREAK].at(state.profile.today(context.at))


def undo(
    state: UserState, credit: TransactionView, original: TransactionView | None, context: Context, evolve: Evolve
) -> Decision:
    """Decide that a settled refund is void, `credit` as it stands then.

    When its purchase is not at hand, a timer brings it at once, in the next turn.
    """
    if credit.refund_of is not None and (original is None or original.transaction_id != credit.refund_of):
        again = UndoRefund(transaction_id=credit.transaction_id, original_id=credit.refund_of)
        timer = TimerSet(timer_id=f"undo:{credit.transaction_id}", due=context.at, command=again)
        return Decision([timer], Changed(transaction=credit, effect="voided", streak=_streak(state, context)))
    back = _taken_back(state, credit, original if credit.refund_of else None, context, evolve)
    after = aftermath.follow(state, back.events, context, evolve)
    flags = [flag for flag in credit.flags if flag not in (IS_PARKED, UNMATCHED, refunds.IS_EXCESS)]
    result = Changed(
        transaction=structs.replace(credit, refund_of=None, flags=flags),
        effect="voided",
        budgets=after.lines,
        streak=after.streak,
        also=[back.original] if back.original else [],
    )
    return Decision([*back.events, *after.alerts], result)


def undo_later(state: UserState, command: UndoRefund, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide the undoing of a refund that was voided in an earlier turn; nothing when it is done."""
    credit: TransactionView | None = facts.transactions.get(command.transaction_id)
    original: TransactionView | None = facts.transactions.get(command.original_id)
    if credit is None or original is None or credit.status == "settled" or credit.refund_of != command.original_id:
        return Decision([], Shown())
    return undo(state, credit, original, context, evolve)


def _taken_back(
    state: UserState, credit: TransactionView, original: TransactionView | None, context: Context, evolve: Evolve
) -> Undone:
    if original is None:
        account = EXCESS if UNMATCHED in credit.flags else PARKED
        timers = [TimerCancelled(timer_id=parked.timer_id(credit.transaction_id))] if account == PARKED else []
        event = TransactionChanged(
            transaction_id=credit.transaction_id,
            at=context.at,
            on=state.profile.today(context.at),
            status=credit.status,
            currency=credit.currency,
            postings=transfer(account, WALLET, credit.amount, credit.currency),
            local_date=credit.local_date,
            merchant=credit.merchant.name,
            **_from_account(credit),
        )
        return Undone([event, *timers], None)
    original = taking_back.followed(state, original)
    back = _from_purchase(state, credit, original, context, evolve)
    if credit.account_id not in state.accounts:
        return back
    left = TransactionChanged(
        transaction_id=credit.transaction_id,
        at=context.at,
        on=state.profile.today(context.at),
        status=credit.status,
        currency=credit.currency,
        local_date=credit.local_date,
        merchant=credit.merchant.name,
        **_from_account(credit),
    )
    return Undone([*back.events, left], back.original)


def _from_account(credit: TransactionView) -> dict[str, Any]:
    """Return what the account of a refund loses when it is taken back, in home currency and in what was paid."""
    paid = credit.original
    return {
        "account_id": credit.account_id,
        "occurred_at": credit.occurred_at,
        "moved": -credit.amount,
        "paid_currency": paid.currency if paid.currency != credit.currency else None,
        "moved_paid": -paid.amount if paid.currency != credit.currency else 0,
    }


def _from_purchase(
    state: UserState, credit: TransactionView, original: TransactionView, context: Context, evolve: Evolve
) -> Undone:
    before = original.life or NO_LIFE
    claimed = original.refunded_amount + before.refund_excess - foreign.given(credit, original)
    room = original.refunded_amount if original.status == "reversed" else standing.counted(original)
    day = refunds.date_of(state, original, state.profile.today(context.at))
    now = standing.claimed(original, max(0, claimed), room, day)
    now = structs.replace(
        now,
        taken_back=taking_back.put_back(original, now.refunded_amount),
        refunded_original=max(0, original.refunded_original - foreign.reported(credit, original)),
    )
    change = settling.changed(state, original, now, context, evolve, again=True)
    return Undone(change.events, change.view)


def _amend(
    state: UserState, known: TransactionView, command: RecordTransaction, facts: Facts, context: Context, evolve: Evolve
) -> Decision:
    """Decide another amount of a settled refund: it is taken back, and given anew."""
    named = facts.by_identity.get((command.origin, command.source, command.original_external_id or ""))
    if known.refund_of is not None and (named is None or named.transaction_id != known.refund_of):
        raise Refused("conflict", "original_external_id must name the purchase that the refund gave back")
    back = _taken_back(state, known, named if known.refund_of else None, context, evolve)
    after = aftermath.copied(state)
    for event in back.events:
        evolve(after, event)
    found = dict(facts.by_identity)
    if back.original is not None and named is not None:
        found[named.origin, named.source, named.external_id] = back.original
    given = refunds.record(after, command, Facts({}, found), context, known.transaction_id)
    events = [*back.events, *given.events]
    told = aftermath.follow(state, events, context, evolve)
    also = [given.result.original] if type(given.result) is Refunded else [back.original] if back.original else []
    result = Changed(
        transaction=_credit(given, known),
        effect="amended",
        budgets=told.lines,
        streak=told.streak,
        also=also,
        refunds=[given.result] if type(given.result) is Refunded else [],
    )
    return Decision([*events, *told.alerts], result)


def _credit(given: Decision, known: TransactionView) -> TransactionView:
    result = given.result
    view = result.transaction if type(result) is Refunded else receipts.transaction(given.events[0])
    return structs.replace(view, transaction_id=known.transaction_id, recorded_at=known.recorded_at, note=known.note)


def expire(state: UserState, command: ExpireRefund, facts: Facts, context: Context) -> Decision:
    """Decide that a parked refund waits no longer: it is other income. Nothing when it has found its purchase."""
    credit: TransactionView | None = facts.transactions.get(command.transaction_id)
    if credit is None or IS_PARKED not in credit.flags or credit.status != "settled":
        return Decision([], Shown())
    now = structs.replace(credit, flags=[*(flag for flag in credit.flags if flag != IS_PARKED), UNMATCHED])
    event = TransactionChanged(
        transaction_id=credit.transaction_id,
        at=context.at,
        on=state.profile.today(context.at),
        status=credit.status,
        currency=credit.currency,
        postings=transfer(PARKED, EXCESS, credit.amount, credit.currency),
        local_date=credit.local_date,
        merchant=credit.merchant.name,
    )
    return Decision(
        [event], Changed(transaction=now, effect="amended", reason="unmatched", streak=_streak(state, context))
    )
