"""Events of the actor itself and its settings."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from engine.commands import AutoSaving, Plan, Rounding


class UserOpened(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="user_opened"):
    """The actor exists from here on; its default jar is made with it."""

    at: datetime
    currency: str
    time_zone: str
    default_jar_id: str
    name: str | None = None
    phone: str | None = None
    auto_saving: AutoSaving
    tenant_mode: Literal["sandbox", "live"] = "sandbox"


class ProfileUpdated(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="profile_updated"):
    """The whole set of settings after a change."""

    at: datetime
    name: str | None
    phone: str | None
    currency: str
    time_zone: str
    rounding: Rounding
    auto_saving: AutoSaving
    refund_policy: Literal["reverse", "keep"]
    plan: Plan
    notifications: dict[str, bool] = {}
    zone_from: datetime | None = None
    """When a changed `time_zone` begins to date events; None: at once."""
    last_day: date | None = None
    """The last date in the zone before, when there is a `zone_from`."""
    skipped: list[date] = []
    """Dates that a move east over the date line leaves out."""
    sweep_threshold: int | None = None
