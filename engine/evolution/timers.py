"""Timers are rows beside the journal: their events leave the state as it is."""

from engine.events import TimerCancelled, TimerSet
from engine.evolution.handler import Evolve
from engine.state import UserState


def _nothing(state: UserState, event: TimerSet | TimerCancelled) -> None:
    pass


EVOLVE: dict[type, Evolve] = {TimerSet: _nothing, TimerCancelled: _nothing}
