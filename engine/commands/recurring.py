"""Commands on schedules: what comes again and again."""

from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.commands.types import Direction, Name, PositiveAmount, Slug

RuleText = Annotated[str, Meta(min_length=1, max_length=200, description="RFC 5545 RRULE, dates only")]
RemindDays = Annotated[int, Meta(ge=0, le=30)]


class RecurringFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A schedule: `amount` in minor units of the home currency, on the dates of `rrule` from `starts_on` on.

    `remind_days_before`: how long before it falls due to tell; None: not at all.
    """

    name: Name
    amount: PositiveAmount
    direction: Direction
    category: Slug
    rrule: RuleText
    starts_on: date
    remind_days_before: RemindDays | None = 1


class CreateRecurring(RecurringFields, frozen=True, kw_only=True, omit_defaults=True, tag="create_recurring"):
    """Make a schedule."""


class RecurringChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of a schedule; an absent field stays. Another rule or start plans it anew from today."""

    name: Name | UnsetType = UNSET
    amount: PositiveAmount | UnsetType = UNSET
    direction: Direction | UnsetType = UNSET
    category: Slug | UnsetType = UNSET
    rrule: RuleText | UnsetType = UNSET
    starts_on: date | UnsetType = UNSET
    remind_days_before: RemindDays | None | UnsetType = UNSET


class EditRecurring(RecurringChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_recurring"):
    """Change a schedule."""

    recurring_id: str


class DeleteRecurring(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delete_recurring"):
    """End a schedule."""

    recurring_id: str


class UnlinkRecurring(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="unlink_recurring"):
    """Say that a transaction was not this schedule's: the date it was taken for is open again."""

    recurring_id: str
    transaction_id: str


class RemindRecurring(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="remind_recurring"):
    """A timer's: tell what falls due on a date, unless it has come by then."""

    recurring_id: str
    due_on: date


class CheckRecurring(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="check_recurring"):
    """A timer's: the grace of a date is over; tell what has not come."""

    recurring_id: str
    due_on: date
