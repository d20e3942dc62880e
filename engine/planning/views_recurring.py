"""Schedules on the wire. Amounts in minor units of the home currency."""

from datetime import date

from msgspec import Struct

from engine.planning.recurring import Recurring


class OccurrenceView(Struct, frozen=True):
    """A date of a schedule: `due`, `matched` (with the payment that was taken for it) or `missed`."""

    due_on: date
    state: str
    transaction_id: str | None
    paid_on: date | None
    amount: int | None


class PriceChange(Struct, frozen=True):
    """The last payment cost another amount than the one before."""

    before: int
    now: int


class RecurringView(Struct, frozen=True, kw_only=True):
    """A schedule. `expected` is what it last cost; `next_due` is null when its rule has ended.

    `due_window_days`: how far from `next_due` a payment is still taken for it. `occurrences` come newest first.
    """

    recurring_id: str
    name: str
    amount: int
    currency: str
    direction: str
    category: str
    rrule: str
    starts_on: date
    remind_days_before: int | None
    expected: int
    price_change: PriceChange | None
    next_due: date | None
    due_window_days: int | None
    occurrences: list[OccurrenceView]


def schedule(one: Recurring, currency: str) -> RecurringView:
    """Return a schedule."""
    waiting = one.open
    return RecurringView(
        recurring_id=one.recurring_id,
        name=one.name,
        amount=one.amount,
        currency=currency,
        direction=one.direction,
        category=one.category,
        rrule=one.rrule,
        starts_on=one.starts_on,
        remind_days_before=one.remind_days_before,
        expected=one.expected,
        price_change=PriceChange(one.before, one.expected) if one.before is not None else None,
        next_due=waiting.due_on if waiting else None,
        due_window_days=waiting.window if waiting else None,
        occurrences=[
            OccurrenceView(known.due_on, known.state, known.transaction_id, known.paid_on, known.amount)
            for known in reversed(one.dates)
        ],
    )
