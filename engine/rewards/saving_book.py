"""The saving challenges of a user: those that run, and the last that are over."""

from datetime import date

from msgspec import Struct, field

from engine.commands.saving_challenges import ChallengeKind

RUNNING_MAX = 10
ENDED_KEPT = 20


class SavingChallenge(Struct, kw_only=True):
    """A challenge from `starts_on` to `ends_on`. `target` in days or minor units; `step` is the first week's amount."""

    challenge_id: str
    kind: ChallengeKind
    starts_on: date
    ends_on: date
    target: int
    step: int = 0
    baseline: int = 0
    leaderboard_id: str | None = None
    member: str = ""
    """Who this is on the leaderboard: an id that tells nothing."""
    pseudonym: str = ""
    score: int | None = None
    outcome: str = "running"
    progress: int = 0
    """What was reached, once it is over."""


class SavingBook(Struct):
    """Running challenges by id, and the last that are over."""

    running: dict[str, SavingChallenge] = field(default_factory=dict)
    ended: list[SavingChallenge] = field(default_factory=list)
