"""Events of schedules."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct


class Due(Struct, frozen=True, omit_defaults=True):
    """The next date of a schedule: `window` days around it an event may be its own; `then` are those after it."""

    on: date
    window: int = 0
    then: list[date] = []


class RecurringDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole description of a schedule. `planned` says that `next` replaces what was open (None: it has ended)."""

    recurring_id: str
    at: datetime
    name: str
    amount: int
    direction: Literal["debit", "credit"]
    category: str
    rrule: str
    starts_on: date
    remind_days_before: int | None = None
    planned: bool = False
    next: Due | None = None


class RecurringCreated(
    RecurringDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="recurring_created"
):
    """A schedule exists."""


class RecurringEdited(
    RecurringDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="recurring_edited"
):
    """A schedule is described anew."""


class RecurringDeleted(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="recurring_deleted"
):
    """A schedule is gone."""

    recurring_id: str
    at: datetime


class RecurringMatched(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="recurring_matched"
):
    """A payment was the one that a date of a schedule had expected; `planned` as in `RecurringDescription`."""

    recurring_id: str
    at: datetime
    due_on: date
    transaction_id: str
    paid_on: date
    amount: int
    expected: int
    planned: bool = False
    next: Due | None = None


class RecurringMissed(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="recurring_missed"):
    """What a date expected has not come within its grace; the schedule goes on."""

    recurring_id: str
    at: datetime
    due_on: date
    next: Due | None = None


class RecurringUnlinked(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="recurring_unlinked"
):
    """A payment was not the schedule's after all, and is never taken for it again."""

    recurring_id: str
    at: datetime
    due_on: date
    transaction_id: str
