"""What events of saving challenges do to the state."""

from engine.events.saving_challenges import SavingChallengeEnded, SavingChallengeJoined, SavingChallengeScored
from engine.evolution.handler import Evolve
from engine.rewards.saving_book import ENDED_KEPT, SavingChallenge
from engine.state import UserState


def _joined(state: UserState, event: SavingChallengeJoined) -> None:
    fields = {name: getattr(event, name) for name in SavingChallengeJoined.__struct_fields__ if name != "at"}
    state.saving.running[event.challenge_id] = SavingChallenge(**fields)


def _scored(state: UserState, event: SavingChallengeScored) -> None:
    state.saving.running[event.challenge_id].score = event.score


def _ended(state: UserState, event: SavingChallengeEnded) -> None:
    over = state.saving.running.pop(event.challenge_id)
    over.outcome, over.progress = event.outcome, event.progress
    state.saving.ended = [*state.saving.ended[-(ENDED_KEPT - 1) :], over]


EVOLVE: dict[type, Evolve] = {
    SavingChallengeJoined: _joined,
    SavingChallengeScored: _scored,
    SavingChallengeEnded: _ended,
}
