"""Decides commands on payments: which rule book a report or an edit belongs to."""

from msgspec import UNSET

from engine.accounts import merging, noticing
from engine.behaviour import Context, Decision, Facts
from engine.commands import (
    DeleteTransaction,
    EditTransaction,
    ExpireAuthorisation,
    ExpireRefund,
    RecordTransaction,
    UndoRefund,
)
from engine.decisions.handler import Decide
from engine.evolution import evolve
from engine.payments import arrivals, own_entries, refund_life, refunds, settling, transactions
from engine.payments.life import DUPLICATE
from engine.state import UserState


def _record(state: UserState, command: RecordTransaction, facts: Facts, context: Context) -> Decision:
    is_foreign = command.currency != state.profile.currency
    if not is_foreign and command.reference is None and not state.accounts:
        return _booked(state, command, facts, context)
    command = noticing.understood(state, command, context)
    found = noticing.twin(state, command, facts, context)
    if found is not None and not merging.outranks(command, found):
        return merging.record(state, command, found, context)
    return noticing.noticed(state, command, _booked(state, command, facts, context), found, context)


def _booked(state: UserState, command: RecordTransaction, facts: Facts, context: Context) -> Decision:
    if facts.by_identity:
        known = facts.by_identity.get((command.origin, command.source, command.external_id))
        if known is not None:
            if known.kind == "refund" and known.status != DUPLICATE:
                return refund_life.report(state, known, command, facts, context, evolve)
            return settling.report(state, known, command, context, evolve)
    if command.kind == "refund":
        return refunds.record(state, command, facts, context)
    if state.parked.waiting or command.pending_external_id is not None:
        return arrivals.record(state, command, facts, context, evolve)
    return transactions.record(state, command, context)


def _expire(state: UserState, command: ExpireAuthorisation, facts: Facts, context: Context) -> Decision:
    return settling.expire(state, command, facts, context, evolve)


def _edit(state: UserState, command: EditTransaction, facts: Facts, context: Context) -> Decision:
    if command.amount is not UNSET or command.occurred_at is not UNSET:
        return own_entries.edit(state, command, facts, context, evolve)
    decide = transactions.edit if command.refund_of is UNSET else refunds.link
    return decide(state, command, facts, context)


def _delete(state: UserState, command: DeleteTransaction, facts: Facts, context: Context) -> Decision:
    return own_entries.delete(state, command, facts, context, evolve)


def _undo(state: UserState, command: UndoRefund, facts: Facts, context: Context) -> Decision:
    return refund_life.undo_later(state, command, facts, context, evolve)


DECIDE: dict[type, Decide] = {
    RecordTransaction: _record,
    EditTransaction: _edit,
    DeleteTransaction: _delete,
    ExpireAuthorisation: _expire,
    ExpireRefund: refund_life.expire,
    UndoRefund: _undo,
}
