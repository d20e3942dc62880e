"""Events of a person's own categories."""

from datetime import date, datetime

from msgspec import Struct


class CategoryCreated(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="category_created"):
    """A category of the person's own exists; spends of it count in its parent's budgets from `since` on."""

    slug: str
    at: datetime
    local_date: date
    name: str
    parent: str | None = None
    names: dict[str, str] = {}
    icon: str | None = None
    since: date | None = None
    """The first local date on which it counts in its parent; None: always."""
    told: list[str] = []
    """Marks of budget thresholds that what was spent on it has passed; they stay silent."""


class CategoryEdited(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="category_edited"):
    """The whole description of a category after a change."""

    slug: str
    at: datetime
    name: str
    names: dict[str, str] = {}
    icon: str | None = None
    archived: bool = False
