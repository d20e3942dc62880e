"""The badges there are: a table of counters and marks. To add one is to add a line; an id is never given twice."""

from functools import lru_cache
from typing import Literal

from msgspec import Struct

from engine import money
from engine.commands import PlanPeriod

Counter = Literal["saved", "round_ups", "jars_filled", "goals_on_time", "no_spend_weeks", "streak"]
ROUND_UPS = (10, 50, 100, 500, 1_000)
STREAKS: dict[PlanPeriod, tuple[int, ...]] = {"day": (7, 30, 100, 365), "week": (4, 12, 26, 52), "month": (3, 6, 12)}
SAVED_MAJOR = {
    "INR": (1_000, 5_000, 10_000, 50_000, 100_000),
    "IDR": (100_000, 500_000, 1_000_000, 5_000_000, 10_000_000),
    "JPY": (10_000, 50_000, 100_000, 500_000, 1_000_000),
}
SAVED_MAJOR_OTHERS = (50, 100, 500, 1_000, 5_000)


class Badge(Struct, frozen=True):
    """A badge: earned once its counter reaches the mark. A streak's mark is in periods of `unit`."""

    badge_id: str
    name: str
    description: str
    counter: Counter
    mark: int
    unit: PlanPeriod | None = None


ONCE = (
    Badge("first_save", "First drop", "Save for the first time.", "saved", 1),
    Badge("first_jar_full", "First jar full", "Fill a jar to its target.", "jars_filled", 1),
    Badge("jars_full_5", "Five jars full", "Fill five jars to their targets.", "jars_filled", 5),
    Badge("goal_on_time", "On time", "Fill a jar before its deadline.", "goals_on_time", 1),
    Badge("no_spend_week", "A week without spending", "Save in a week, and spend nothing.", "no_spend_weeks", 1),
)


@lru_cache(maxsize=256)
def saved_marks(currency: str) -> tuple[int, ...]:
    """Return the totals that are worth a badge, in minor units."""
    return tuple(mark * money.minor_per_major(currency) for mark in SAVED_MAJOR.get(currency, SAVED_MAJOR_OTHERS))


@lru_cache(maxsize=256)
def catalogue(currency: str) -> tuple[Badge, ...]:
    """Return every badge there is for a person who saves in a currency."""
    totals = [
        Badge(f"saved_{number}", f"{shown} saved", f"Save {shown} in all.", "saved", mark)
        for number, mark in enumerate(saved_marks(currency), start=1)
        for shown in (money.show(mark, currency),)
    ]
    round_ups = [
        Badge(f"round_ups_{mark}", f"{mark:,} round-ups", f"Have {mark:,} payments rounded up.", "round_ups", mark)
        for mark in ROUND_UPS
    ]
    streaks = [
        Badge(
            f"streak_{mark}_{unit}s",
            f"{mark} {unit}s in a row",
            f"Keep your saving plan for {mark} {unit}s in a row.",
            "streak",
            mark,
            unit,
        )
        for unit, marks in STREAKS.items()
        for mark in marks
    ]
    return (*ONCE, *round_ups, *totals, *streaks)
