"""Decides commands on payments: which rule book a report or an edit belongs to."""

from msgspec import UNSET

from engine import accounts, rates, refunds, transactions
from engine.behaviour import Context, Decision, Facts
from engine.commands import EditTransaction, RecordTransaction
from engine.decisions.handler import Decide
from engine.evolution import evolve
from engine.state import UserState


def _record(state: UserState, command: RecordTransaction, facts: Facts, context: Context) -> Decision:
    if state.accounts:
        command = accounts.understood(state.accounts, command)
    if command.currency != state.profile.currency:
        command = rates.at_home(command, state.profile, context)
    if command.kind == "refund":
        return refunds.record(state, command, facts, context)
    if state.parked.waiting:
        return refunds.record_purchase(state, command, context, evolve)
    return transactions.record(state, command, context)


def _edit(state: UserState, command: EditTransaction, facts: Facts, context: Context) -> Decision:
    decide = transactions.edit if command.refund_of is UNSET else refunds.link
    return decide(state, command, facts, context)


DECIDE: dict[type, Decide] = {RecordTransaction: _record, EditTransaction: _edit}
