"""An outside that tells the same every time: codes that count up, rates and calendars that a test sets."""

from collections.abc import Sequence
from datetime import date
from hashlib import sha256

from adapters.calendars import recurrence
from engine.accounts.rate_book import RateBook
from engine.outside import Rate


class Told:
    """Implements `Outside`. Tests put rates into `book`."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.book = RateBook()

    def new_code(self) -> str:
        self.codes.append(f"{len(self.codes) + 100_001:06d}")
        return self.codes[-1]

    def digest(self, challenge_id: str, code: str) -> str:
        return sha256(f"{challenge_id}:{code}".encode()).hexdigest()

    def rate(self, base: str, quote: str, day: date) -> Rate | None:
        return self.book.rate(base, quote, day)

    def occurrences(self, rrule: str, starts_on: date, after: date, count: int) -> Sequence[date]:
        return recurrence.occurrences(rrule, starts_on, after, count)
