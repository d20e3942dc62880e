"""Badges on the wire (api.md)."""

from datetime import datetime

from msgspec import Struct


class BadgeProgress(Struct, frozen=True):
    """How far: `current` of `target`, in minor units for a total, else a count."""

    current: int
    target: int


class BadgeView(Struct, frozen=True, kw_only=True):
    """A badge; `earned_at` is null until it is earned."""

    badge_id: str
    name: str
    description: str
    earned_at: datetime | None
    progress: BadgeProgress


class BadgesView(Struct, frozen=True):
    """A page of the badges of the person's currency and plan, and those earned under another."""

    items: list[BadgeView]
    next_cursor: str | None = None
