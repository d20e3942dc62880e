"""What events of the second factor do to the state."""

from engine.events import ChallengeIssued, ChallengeSpent, ChallengeTried
from engine.evolution.handler import Evolve
from engine.state import UserState


def _issued(state: UserState, event: ChallengeIssued) -> None:
    state.challenges.issued(event)


def _tried(state: UserState, event: ChallengeTried) -> None:
    state.challenges.tried(event)


def _spent(state: UserState, event: ChallengeSpent) -> None:
    state.challenges.spent(event)


EVOLVE: dict[type, Evolve] = {ChallengeIssued: _issued, ChallengeTried: _tried, ChallengeSpent: _spent}
