"""An outside that tells the same every time: codes that count up, rates and calendars that a test sets."""

from collections.abc import Sequence
from datetime import date
from hashlib import sha256

from engine.outside import Rate


class Told:
    """Implements `Outside`. `rates` by (base, quote), the newest last."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.rates: dict[tuple[str, str], list[Rate]] = {}

    def new_code(self) -> str:
        self.codes.append(f"{len(self.codes) + 100_001:06d}")
        return self.codes[-1]

    def digest(self, challenge_id: str, code: str) -> str:
        return sha256(f"{challenge_id}:{code}".encode()).hexdigest()

    def rate(self, base: str, quote: str, day: date) -> Rate | None:
        return next((r for r in reversed(self.rates.get((base, quote), [])) if r.day <= day), None)

    def occurrences(self, rrule: str, starts_on: date, after: date, count: int) -> Sequence[date]:
        raise ValueError(f"no calendar is told for {rrule}")
