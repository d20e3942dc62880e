"""What was spent, by local date and category: sums that budgets and the burn rate read.

Days are kept for 70 days (the current and the last period of any budget), calendar months for 13. Home currency only.
"""

from datetime import date

from msgspec import Struct, field

from engine.periods import month_index

DAYS_KEPT = 70
MONTHS_KEPT = 13
OVERALL = "overall"
Slugs = frozenset[str] | None
"""Which categories are meant; None is all of them."""


class Spending(Struct):
    """Sums in minor units: `days[ordinal][category]`, `months[month index][category]`."""

    days: dict[int, dict[str, int]] = field(default_factory=dict)
    months: dict[int, dict[str, int]] = field(default_factory=dict)
    newest: int = 0
    held: dict[int, dict[str, int]] = field(default_factory=dict)
    """The part of `days` that is provisional: authorised and not settled yet."""

    def add(self, day: date, category: str, amount: int, provisional: int = 0) -> None:
        """Count a spend (or, negative, its correction) on a local date; `provisional` is how much of it may change."""
        ordinal = day.toordinal()
        if ordinal > self.newest:
            self.newest = ordinal
            self._forget(day)
        if ordinal > self.newest - DAYS_KEPT:
            _add(self.days.setdefault(ordinal, {}), category, amount)
            if provisional:
                self._hold(ordinal, category, provisional)
        month = month_index(day)
        if ordinal == self.newest or month > month_index(date.fromordinal(self.newest)) - MONTHS_KEPT:
            _add(self.months.setdefault(month, {}), category, amount)

    def _hold(self, ordinal: int, category: str, amount: int) -> None:
        sums = self.held.setdefault(ordinal, {})
        _add(sums, category, amount)
        if not sums:
            del self.held[ordinal]

    def provisional(self, start: date, end: date, slugs: Slugs) -> int:
        """Return how much of what `between` counts is provisional."""
        first, last = start.toordinal(), end.toordinal()
        return sum(_of(sums, slugs) for day, sums in self.held.items() if first <= day < last)

    def between(self, start: date, end: date, slugs: Slugs) -> int:
        """Return what was spent from `start` up to, not including, `end`."""
        first, last = start.toordinal(), end.toordinal()
        return sum(_of(sums, slugs) for day, sums in self.days.items() if first <= day < last)

    def daily(self, slugs: Slugs, last: date, count: int) -> list[int]:
        """Return the sums of `count` days that end with `last`, oldest first."""
        end = last.toordinal()
        return [_of(self.days.get(day, {}), slugs) for day in range(end - count + 1, end + 1)]

    def by_day(self, slugs: Slugs) -> list[tuple[int, int]]:
        """Return every kept day (ordinal) on which something was spent, with its sum."""
        return [(day, spent) for day, sums in self.days.items() if (spent := _of(sums, slugs))]

    def by_category(self, start: date, end: date) -> dict[str, int]:
        """Return what was spent on each category from `start` up to, not including, `end`; as far as days are kept."""
        found: dict[str, int] = {}
        for ordinal in range(start.toordinal(), end.toordinal()):
            for slug, amount in self.days.get(ordinal, {}).items():
                _add(found, slug, amount)
        return found

    def first_day(self) -> int | None:
        """Return the ordinal of the oldest kept day, None when nothing was spent."""
        return min(self.days) if self.days else None

    def _forget(self, day: date) -> None:
        if self.days and min(self.days) <= self.newest - DAYS_KEPT:
            self.days = {d: sums for d, sums in self.days.items() if d > self.newest - DAYS_KEPT}
            self.held = {d: sums for d, sums in self.held.items() if d > self.newest - DAYS_KEPT}
        oldest = month_index(day) - MONTHS_KEPT
        if self.months and min(self.months) <= oldest:
            self.months = {m: sums for m, sums in self.months.items() if m > oldest}


def _add(sums: dict[str, int], category: str, amount: int) -> None:
    """Add to a sum; one back at zero is not kept, so that edits to and fro leave nothing behind."""
    total = sums.get(category, 0) + amount
    if total:
        sums[category] = total
    else:
        sums.pop(category, None)


def _of(sums: dict[str, int], slugs: Slugs) -> int:
    if slugs is None:
        return sum(sums.values())
    return sum(amount for slug, amount in sums.items() if slug in slugs)
