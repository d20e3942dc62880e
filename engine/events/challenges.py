"""Events of the second factor. No code is ever in one."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.commands import Command


class ChallengeIssued(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="challenge_issued"):
    """An action waits for its code; `digest` is keyed."""

    challenge_id: str
    at: datetime
    expires_at: datetime
    action: Command
    digest: str


class ChallengeTried(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="challenge_tried"):
    """A wrong code came."""

    challenge_id: str
    at: datetime


class ChallengeSpent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="challenge_spent"):
    """The right code came, and the action was carried out by the same turn; `answer` is what it was answered."""

    challenge_id: str
    at: datetime
    answer: dict[str, Any]
