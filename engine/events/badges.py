"""Events of badges."""

from datetime import datetime

from msgspec import Struct


class BadgeEarned(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="badge_earned"):
    """A badge was earned; it stays, whatever happens to what it was earned for."""

    badge_id: str
    at: datetime
