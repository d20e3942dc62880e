"""What a person may change of the entries that are the person's own: amount and time, and whether they were at all.

Both post the difference, as another report would. A deleted entry leaves a tombstone: no later report brings it back.
"""

from datetime import datetime

from msgspec import UNSET, structs

from engine.behaviour import Context, Decision, Facts, Refused, invalid
from engine.commands import DeleteTransaction, EditTransaction
from engine.payments import refund_life, settling, transactions
from engine.payments.aftermath import Evolve
from engine.payments.life import DELETED, HIDDEN
from engine.periods import local_date
from engine.planning.spending import OVERALL
from engine.state import USER_STREAK, UserState
from engine.views import NO_LIFE, Changed, OriginalView, TransactionView


def _own(facts: Facts, transaction_id: str, what: str) -> TransactionView:
    known: TransactionView | None = facts.transactions.get(transaction_id)
    if known is None or known.status in HIDDEN:
        raise Refused("not_found", f"there is no transaction {transaction_id!r}")
    if known.origin != "user" and known.provenance != "imported":
        raise Refused("conflict", f"{known.source} reported the transaction; only an own entry can be {what}")
    return known


def edit(state: UserState, command: EditTransaction, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide another amount or time of an own entry, with whatever else the edit names. Raises `Refused`."""
    if command.refund_of is not UNSET:
        raise invalid("refund_of", "goes alone: a refund takes the category of its purchase; edit the rest apart")
    known = _own(facts, command.transaction_id, "edited so")
    if known.kind == "refund":
        raise Refused("conflict", "a refund is not edited; delete it and enter it anew")
    now = _timed(state, known, command, context)
    if command.amount is not UNSET:
        now = structs.replace(now, amount=_amount(known, command.amount), original=_said(known, command.amount))
    if command.category is not UNSET:
        if command.category == OVERALL:
            raise invalid("category", transactions.RESERVED)
        now = structs.replace(now, category=command.category, confidence=1.0, category_by="user")
    if command.description is not UNSET:
        now = structs.replace(now, description=command.description)
    if command.note is not UNSET:
        now = structs.replace(now, note=command.note)
    change = settling.changed(state, known, now, context, evolve)
    decision = settling.told(state, change, "amended", context, evolve)
    return structs.replace(decision, result=structs.replace(decision.result, edited=True))


def _amount(known: TransactionView, amount: int) -> int:
    if known.original.currency != known.currency:
        raise Refused("conflict", f"it was paid in {known.original.currency}; delete it and enter it anew")
    given = known.refunded_amount + (known.life or NO_LIFE).refund_excess
    if amount < given:
        raise invalid("amount", f"{amount} is less than the {given} that refunds gave back")
    return amount


def _said(known: TransactionView, amount: int) -> OriginalView:
    return OriginalView(amount, known.currency)


def _timed(state: UserState, known: TransactionView, command: EditTransaction, context: Context) -> TransactionView:
    when = command.occurred_at
    if when is UNSET or when == known.occurred_at:
        return known
    assert isinstance(when, datetime)
    for error in transactions.time_errors(when, context):
        raise Refused("invalid", f"{error.field}: {error.message}", [error])
    day = local_date(when, state.profile.zone_at(context.at))
    return structs.replace(known, occurred_at=when, local_date=day)


def delete(state: UserState, command: DeleteTransaction, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide that an own entry never was. Raises `Refused`."""
    known = _own(facts, command.transaction_id, "deleted")
    gone = structs.replace(known, status=DELETED)
    if known.kind == "refund":
        if known.status == "settled":
            return _because(refund_life.undo(state, gone, None, context, evolve))
        streak = state.streaks[USER_STREAK].at(state.profile.today(context.at))
        return Decision([], Changed(transaction=gone, effect="voided", reason=DELETED, streak=streak))
    if known.refunded_amount or (known.life or NO_LIFE).refund_excess:
        raise Refused("conflict", "refunds gave it back; delete them first")
    change = settling.changed(state, known, gone, context, evolve)
    return settling.told(state, change, "voided", context, evolve, reason=DELETED)


def _because(decision: Decision) -> Decision:
    return structs.replace(decision, result=structs.replace(decision.result, reason=DELETED))
