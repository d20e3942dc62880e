"""Events of saving challenges."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from engine.commands.saving_challenges import ChallengeKind


class SavingChallengeJoined(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="saving_challenge_joined"
):
    """A challenge runs from `starts_on` to `ends_on`, both included; `baseline` is what was saved before."""

    challenge_id: str
    at: datetime
    kind: ChallengeKind
    starts_on: date
    ends_on: date
    target: int
    step: int = 0
    baseline: int = 0
    leaderboard_id: str | None = None
    member: str = ""
    pseudonym: str = ""


class SavingChallengeScored(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="saving_challenge_scored"
):
    """A leaderboard shows this score from now on; None: it shows this member no more."""

    challenge_id: str
    at: datetime
    leaderboard_id: str
    member: str
    pseudonym: str
    score: int | None


class SavingChallengeEnded(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="saving_challenge_ended"
):
    """A challenge is over, with what was reached."""

    challenge_id: str
    at: datetime
    outcome: Literal["completed", "missed", "left"]
    progress: int


SavingChallengesEvent = SavingChallengeJoined | SavingChallengeScored | SavingChallengeEnded
