"""What events of settlement do to the state."""

from engine.events import (
    IncomeAwaited,
    InstructionClosed,
    InstructionIssued,
    SavingsNetted,
    SweepPlanned,
    SweepsResumed,
)
from engine.evolution.handler import Evolve
from engine.state import UserState


def _issued(state: UserState, event: InstructionIssued) -> None:
    state.ledger.post(event.postings)
    settlement, one = state.settlement, event.instruction
    settlement.open[one.instruction_id] = one
    if one.type == "debit":
        settlement.debits += 1
        settlement.scheduled += one.amount
        settlement.planned = None


def _netted(state: UserState, event: SavingsNetted) -> None:
    state.ledger.post(event.postings)
    state.settlement.planned = None


def _closed(state: UserState, event: InstructionClosed) -> None:
    state.ledger.post(event.postings)
    settlement, one = state.settlement, event.instruction
    settlement.finish(one)
    if one.type == "debit":
        settlement.debits -= 1
        settlement.scheduled -= one.amount
    elif one.status == "done":
        for part in one.parts:
            state.jars[part.jar_id].saved -= part.amount
    if event.counts:
        settlement.failures += 1
        settlement.held, settlement.incomes = True, 0
    elif one.type == "debit" and one.status == "done":
        settlement.failures = 0


def _planned(state: UserState, event: SweepPlanned) -> None:
    state.settlement.planned = event.due


def _resumed(state: UserState, event: SweepsResumed) -> None:
    state.settlement.held, state.settlement.incomes = False, 0
    if event.afresh:
        state.settlement.failures = 0


def _income_awaited(state: UserState, event: IncomeAwaited) -> None:
    state.settlement.incomes = event.incomes


EVOLVE: dict[type, Evolve] = {
    InstructionIssued: _issued,
    SavingsNetted: _netted,
    InstructionClosed: _closed,
    SweepPlanned: _planned,
    SweepsResumed: _resumed,
    IncomeAwaited: _income_awaited,
}
