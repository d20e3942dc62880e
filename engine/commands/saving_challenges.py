"""Commands on saving challenges: what a person sets out to do, for so long."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.commands.types import TEXT_END, PositiveAmount

WINDOW_DAYS_MAX = 60
"""Days whose spending is known for sure when a challenge ends."""
ChallengeKind = Literal["no_spend_days", "week_52", "save_by_date"]
Board = Literal["tenant", "group"]
Days = Annotated[int, Meta(ge=1, le=WINDOW_DAYS_MAX)]
Pseudonym = Annotated[str, Meta(min_length=2, max_length=30, pattern=r"^[^\x00-\x1f\x7f]+" + TEXT_END)]


class ChallengeTerms(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be done. `amount` in minor units: what week 1 saves (`week_52`), or the whole (`save_by_date`)."""

    kind: ChallengeKind
    days: Days | None = None
    within_days: Days | None = None
    amount: PositiveAmount | None = None
    until: date | None = None
    board: Board | None = None
    """On whose leaderboard the score is shown; on none unless the person says so."""
    group_id: str | None = None
    pseudonym: Pseudonym | None = None


class JoinChallenge(ChallengeTerms, frozen=True, kw_only=True, omit_defaults=True, tag="join_challenge"):
    """Begin a challenge."""


class LeaveChallenge(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="leave_challenge"):
    """Give a challenge up; its score leaves the leaderboard."""

    challenge_id: str


class TickChallenge(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tick_challenge"):
    """A timer: a local day has ended."""

    challenge_id: str


SavingChallengesCommand = JoinChallenge | LeaveChallenge | TickChallenge
