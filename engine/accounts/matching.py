"""Transfers between own accounts: two legs that were reported as a payment and an income become one move.

Rules: docs/domain.md, "Transfers between own accounts". This file decides; it changes nothing.
"""

from msgspec import structs

from engine.behaviour import Context, Decision, Facts, Refused, invalid
from engine.commands import MatchTransfer, RejectTransfer
from engine.events import PairJudged, TimerSet
from engine.kinds import INCOME_KINDS, MOVE_KINDS, SPEND_KINDS
from engine.payments import settling, standing
from engine.payments.aftermath import Evolve
from engine.state import UserState
from engine.views import Edited, Shown, TransactionView, TransferView

OWN_TRANSFER = "own_transfer"
_TRANSFER = "transfer"


def match(state: UserState, command: MatchTransfer, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide that two transactions are one transfer. Raises `Refused`; what the rule cannot do any more it leaves."""
    one, other = facts.transactions.get(command.transaction_id), facts.transactions.get(command.other_id)
    if command.by == "rule" and not _still(state, one, other):
        return Decision([], Shown())
    if one is None:
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    if other is None or command.other_id == command.transaction_id:
        raise invalid("other_id", f"there is no other transaction {command.other_id!r}")
    _check(one, other)
    judged = PairJudged(
        type="transfer",
        transaction_id=one.transaction_id,
        other_id=other.transaction_id,
        at=context.at,
        accepted=True,
        by=command.by,
    )
    first = settling.changed(state, one, _leg(one, other, command.by), context, evolve, cause=other)
    second = settling.changed(state, other, _leg(other, one, command.by), context, evolve, cause=one)
    changes = settling.Change([*first.events, *second.events], first.view)
    told = settling.told(state, changes, "amended", context, evolve)
    shown = Edited(transaction=first.view, budgets=told.result.budgets, also=[second.view])
    return Decision([judged, *told.events], shown)


def _still(state: UserState, one: TransactionView | None, other: TransactionView | None) -> bool:
    """Whether what the rule saw when it set its timer still holds."""
    if one is None or other is None:
        return False
    if state.pairs.is_rejected("transfer", one.transaction_id, other.transaction_id):
        return False
    try:
        _check(one, other)
    except Refused:
        return False
    return True


def _check(one: TransactionView, other: TransactionView) -> None:
    """Refuse what cannot be a transfer: it names the transaction and why."""
    for view in (one, other):
        name = f"the transaction {view.transaction_id!r}"
        if view.transfer is not None:
            raise Refused("conflict", f"{name} is a leg of a transfer already; DELETE its transfer-match first")
        if view.status != "settled":
            raise Refused("conflict", f"{name} is {view.status}; only settled ones are matched")
        if view.refunded_amount or view.refund_of is not None or view.kind == "refund":
            raise Refused("conflict", f"{name} has to do with a refund; it is no transfer")
    if one.direction == other.direction:
        raise invalid("other_id", f"both are a {one.direction}; a transfer leaves one account and arrives at another")
    debit, credit = (one, other) if one.direction == "debit" else (other, one)
    if debit.kind not in SPEND_KINDS | MOVE_KINDS or credit.kind not in INCOME_KINDS | MOVE_KINDS:
        raise invalid("other_id", f"a {debit.kind} and a {credit.kind} are no transfer")


def _leg(view: TransactionView, other: TransactionView, by: str) -> TransactionView:
    link = TransferView(other.transaction_id, by, view.kind, view.category, view.confidence, view.category_by)
    is_move = view.kind in MOVE_KINDS
    return structs.replace(
        view,
        transfer=link,
        kind=view.kind if is_move else _TRANSFER,
        category=view.category if is_move else _TRANSFER,
        confidence=view.confidence if is_move else 1.0,
        category_by=view.category_by if is_move else "transfer",
        counts_as_spend=False,
        suggestions=[one for one in view.suggestions if one.type != "transfer"],
        flags=[*(flag for flag in view.flags if flag != "possible_transfer"), OWN_TRANSFER],
    )


def reject(state: UserState, command: RejectTransfer, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide the user's veto: a matched transaction is what it was reported as. Raises `Refused`."""
    known = facts.transactions.get(command.transaction_id)
    link = known.transfer if known is not None else None
    if command.of is not None and (link is None or link.other_id != command.of):
        return Decision([], Shown())
    if known is None:
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    if link is None:
        return _drop(known, context)
    change = settling.changed(state, known, _as_reported(state, known, link), context, evolve)
    told = settling.told(state, change, "amended", context, evolve)
    events = [_rejected(known, link.other_id, context), *told.events]
    if command.of is None:
        second = RejectTransfer(transaction_id=link.other_id, of=known.transaction_id)
        events.append(TimerSet(timer_id=f"unmatch:{link.other_id}", due=context.at, command=second))
    return Decision(events, Edited(transaction=change.view, budgets=told.result.budgets))


def _as_reported(state: UserState, known: TransactionView, link: TransferView) -> TransactionView:
    restored = structs.replace(
        known,
        transfer=None,
        kind=link.kind,
        flags=[flag for flag in known.flags if flag != OWN_TRANSFER],
    )
    if known.category_by == "transfer":
        restored = structs.replace(
            restored, category=link.category, confidence=link.confidence, category_by=link.category_by
        )
    spend = standing.is_spend(restored) and restored.currency == state.profile.currency
    return structs.replace(restored, counts_as_spend=spend)


def _drop(known: TransactionView, context: Context) -> Decision:
    """Drop what was only suggested."""
    dropped = [one.other_id for one in known.suggestions if one.type == "transfer"]
    if not dropped:
        raise Refused("not_found", "the transaction is no leg of a transfer, and none was suggested")
    view = structs.replace(
        known,
        suggestions=[one for one in known.suggestions if one.type != "transfer"],
        flags=[flag for flag in known.flags if flag != "possible_transfer"],
    )
    return Decision([_rejected(known, other, context) for other in dropped], Edited(transaction=view))


def _rejected(known: TransactionView, other_id: str, context: Context) -> PairJudged:
    return PairJudged(
        type="transfer",
        transaction_id=known.transaction_id,
        other_id=other_id,
        at=context.at,
        accepted=False,
        by="user",
    )
