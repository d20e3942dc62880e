"""Burn rate: how fast money goes, and where the period will end.

Two rates a category: the mean over the period so far, and one with exponential weights (half-life 7 days), which
follows a change of habit. The projection adds the weighted rate for the days that are left, today not counted again;
its 80 % interval takes the weighted variance of daily sums as independent days (z = 1.2816, normal quantile at 0.9).
"""

from datetime import date
from math import sqrt

from msgspec import Struct

from engine.planning.spending import DAYS_KEPT, Slugs, Spending

HALF_LIFE_DAYS = 7
_DECAY = 0.5 ** (1 / HALF_LIFE_DAYS)
_Z80 = 1.2816
QUIET_SHARE, QUIET_DAYS_MAX = 0.2, 3
"""No projection alert in the first fifth of a period, at most three days: too little is known."""


class Projection(Struct, frozen=True):
    """Where a period will end: minor units, an 80 % interval around `mid`."""

    low: int
    mid: int
    high: int


class Rate(Struct, frozen=True):
    """Spend per day in minor units, with the figures around it."""

    spent: int
    per_day: int
    weighted_per_day: int
    projected: Projection
    days_elapsed: int
    days_left: int


def measure(
    spending: Spending, slugs: Slugs, period: tuple[date, date], today: date, spend: tuple[date, int] | None = None
) -> Rate:
    """Return the rates of some categories in the period that holds `today`; today counts as elapsed and as left.

    `spend` (local date, amount) is one more of them, just being decided.
    """
    start, end = period
    elapsed, left = (today - start).days + 1, (end - today).days
    spent = spending.between(start, end, slugs)
    if spend is not None and start <= spend[0] < end:
        spent += spend[1]
    mean, variance = _weighted(spending, slugs, today, start, spend)
    ahead = left - 1
    mid = spent + mean * ahead
    spread = _Z80 * sqrt(variance * ahead)
    projected = Projection(low=max(spent, round(mid - spread)), mid=round(mid), high=round(mid + spread))
    return Rate(spent, spent // elapsed, round(mean), projected, elapsed, left)


def _weighted(
    spending: Spending, slugs: Slugs, today: date, start: date, spend: tuple[date, int] | None
) -> tuple[float, float]:
    """Return weighted mean and variance of daily sums; days of the period before anything was known count as zero.

    Refunds of an earlier period can outweigh what was spent: a mean below zero would project more of them, so it is 0.
    """
    first = min(spending.first_day() or start.toordinal(), start.toordinal())
    count = min(DAYS_KEPT, today.toordinal() - first + 1)
    days = spending.daily(slugs, today, count)
    if spend is not None and 0 <= (ago := (today - spend[0]).days) < count:
        days[-1 - ago] += spend[1]
    total = mean = square = 0.0
    weight = 1.0
    for amount in reversed(days):
        total += weight
        mean += weight * amount
        square += weight * amount * amount
        weight *= _DECAY
    mean /= total
    return max(0.0, mean), max(0.0, square / total - mean * mean)


def is_quiet(period: tuple[date, date], today: date) -> bool:
    """Whether it is too early in the period to warn of where it will end."""
    start, end = period
    return (today - start).days < min(QUIET_DAYS_MAX, QUIET_SHARE * (end - start).days)


def safe_per_day(left: int, days_left: int) -> int:
    """Return what may be spent a day, today included, without passing the limit."""
    return max(0, left) // max(1, days_left)
