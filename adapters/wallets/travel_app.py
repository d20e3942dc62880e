"""The travel app's shape (`POST /expenses/sync-transaction`): camelCase, minor units, dates with or without a time."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from engine.commands import Currency, ExternalId, Location, PositiveAmount, ShortText, Text, TransactionFields


class Unreadable(Exception):
    """An expense that cannot be understood: names the field, and says what is expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Expense(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One expense as the app sends it. `amount` in minor units of `currency`."""

    userId: ShortText  # noqa: N815
    source: Literal["qris", "card", "ewallet"]
    externalId: ExternalId  # noqa: N815
    amount: PositiveAmount
    currency: Currency
    date: Annotated[str, Meta(max_length=64)]
    consentGiven: bool  # noqa: N815
    merchant: ShortText | None = None
    location: Location | ShortText | None = None
    description: Text | None = None


def transaction(expense: Expense) -> TransactionFields:
    """Return the expense as a settled purchase. Raises `Unreadable` for a date nobody can read."""
    return TransactionFields(
        external_id=expense.externalId,
        source=expense.source,
        amount=expense.amount,
        currency=expense.currency,
        merchant=expense.merchant,
        description=expense.description,
        occurred_at=_instant(expense.date),
        method=expense.source,
        location=expense.location,
    )


def _instant(text: str) -> datetime:
    """Return when the expense happened. A date alone is taken as noon UTC, the same date from UTC-12 to UTC+11."""
    try:
        if len(text) == len("2026-11-20"):
            return datetime.combine(date.fromisoformat(text), time(12), UTC)
        at = msgspec.convert(text, datetime)
        if at.tzinfo is not None:
            # Near the ends of the calendar an offset leads out of it.
            at.astimezone(UTC)
            return at
    except (ValueError, OverflowError, msgspec.ValidationError):
        pass
    raise Unreadable("date", f"{text!r} is neither a date nor an RFC 3339 time with an offset")
