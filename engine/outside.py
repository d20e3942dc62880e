"""What a decision may ask that the engine cannot make itself: secrets, rates, calendars. All sync and in memory.

A replay never asks: whatever of an answer matters goes into the events.
"""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from msgspec import Struct


class Rate(Struct, frozen=True):
    """How many units of the quote currency one unit of the base currency was worth on `day`: numerator/denominator."""

    day: date
    numerator: int
    denominator: int


class Outside(Protocol):
    """The port; `serve.composition` says what stands behind it."""

    def new_code(self) -> str:
        """Return six random digits."""

    def digest(self, challenge_id: str, code: str) -> str:
        """Return a keyed digest of a code: what may be journaled of it."""

    def rate(self, base: str, quote: str, day: date) -> Rate | None:
        """Return the last rate known on or before a day; None when there is none."""

    def occurrences(self, rrule: str, starts_on: date, after: date, count: int) -> Sequence[date]:
        """Return the next dates of an RFC 5545 rule after a date, at most `count`; `ValueError` on a bad rule."""


class Nothing:
    """No outside: no rate is known, and what needs the rest fails."""

    def new_code(self) -> str:
        """Raise: there is no source of secrets."""
        raise LookupError("no source of codes is configured")

    def digest(self, challenge_id: str, code: str) -> str:
        """Raise: there is no key."""
        raise LookupError(f"no key is configured to digest a code of {len(code)} digits for {challenge_id}")

    def rate(self, base: str, quote: str, day: date) -> Rate | None:  # noqa: ARG002
        """Return None: no rate is known."""
        return None

    def occurrences(self, rrule: str, starts_on: date, after: date, count: int) -> Sequence[date]:
        """Raise: there is no calendar."""
        raise LookupError(f"no calendar is configured for {rrule} from {starts_on} after {after} ({count})")


NOTHING: Outside = Nothing()
