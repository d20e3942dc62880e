"""What was saved, by week and jar: what a summary counts. And the summaries that were made."""

from datetime import date

from msgspec import Struct, field

from engine.periods import DAYS_A_WEEK

WEEKS_KEPT = 4
SUMMARIES_KEPT = 53


class Summaries(Struct):
    """`saved[week][jar id]` in minor units; `made` are encoded summaries, oldest first; `week` the last one made."""

    planned: bool = False
    week: int = 0
    saved: dict[int, dict[str, int]] = field(default_factory=dict)
    made: list[bytes] = field(default_factory=list)

    def add(self, day: date, jar_id: str, amount: int) -> None:
        """Count what a jar got on a local date (negative: gave back), unless that is more than four weeks ago."""
        week = week_of(day)
        sums = self.saved.get(week)
        if sums is None:
            newest = max(self.saved, default=week)
            if week <= newest - WEEKS_KEPT:
                return
            sums = self.saved[week] = {}
            if week > newest:
                self.saved = {known: jars for known, jars in self.saved.items() if known > week - WEEKS_KEPT}
        sums[jar_id] = sums.get(jar_id, 0) + amount

    def saved_in(self, monday: date) -> dict[str, int]:
        """Return what each jar got in the week that begins with `monday`."""
        return self.saved.get(week_of(monday), {})

    def keep(self, encoded: bytes) -> None:
        """Keep a summary; the oldest beyond a year is forgotten."""
        self.made = [*self.made[-(SUMMARIES_KEPT - 1) :], encoded]


def week_of(day: date) -> int:
    """Return the number of a date's week; consecutive weeks have consecutive numbers."""
    return (day.toordinal() - 1) // DAYS_A_WEEK
