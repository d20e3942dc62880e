"""What events of weekly summaries do to the state."""

from engine.events import SummaryMade, SummaryPlanned
from engine.evolution.handler import Evolve
from engine.planning import summaries
from engine.state import UserState


def _planned(state: UserState, event: SummaryPlanned) -> None:
    state.summaries.planned = event.due is not None


def _made(state: UserState, event: SummaryMade) -> None:
    summaries.made(state, event)


EVOLVE: dict[type, Evolve] = {SummaryPlanned: _planned, SummaryMade: _made}
