"""What events of reports that belong together do to the state."""

from engine.events import PairJudged
from engine.evolution.handler import Evolve
from engine.state import UserState


def _judged(state: UserState, event: PairJudged) -> None:
    state.pairs.judge(event)
    state.parked.judged(event)


EVOLVE: dict[type, Evolve] = {PairJudged: _judged}
