"""What events of schedules do to the state."""

from engine.events import (
    RecurringCreated,
    RecurringDeleted,
    RecurringEdited,
    RecurringMatched,
    RecurringMissed,
    RecurringUnlinked,
)
from engine.evolution.handler import Evolve
from engine.planning import recurring
from engine.state import UserState


def _described(state: UserState, event: RecurringCreated | RecurringEdited) -> None:
    recurring.described(state.recurring, event)


def _deleted(state: UserState, event: RecurringDeleted) -> None:
    state.recurring.pop(event.recurring_id)


def _matched(state: UserState, event: RecurringMatched) -> None:
    recurring.matched(state.recurring[event.recurring_id], event)


def _missed(state: UserState, event: RecurringMissed) -> None:
    recurring.missed(state.recurring[event.recurring_id], event)


def _unlinked(state: UserState, event: RecurringUnlinked) -> None:
    recurring.unlinked(state.recurring[event.recurring_id], event)


EVOLVE: dict[type, Evolve] = {
    RecurringCreated: _described,
    RecurringEdited: _described,
    RecurringDeleted: _deleted,
    RecurringMatched: _matched,
    RecurringMissed: _missed,
    RecurringUnlinked: _unlinked,
}
