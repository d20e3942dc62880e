"""Dated exchange rates in memory: the last on or before a day, direct, inverse, or through a currency both have.

Central banks publish against one base (the ECB: euro), so USD in INR is asked of EUR/USD and EUR/INR.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date
from math import gcd
from typing import Protocol

from msgspec import Struct

from engine.outside import Rate

PIVOTS = ("EUR", "USD")


class DatedRate(Struct, frozen=True, gc=False):
    """One unit of `base` was worth numerator/denominator units of `quote` on `day`. Both fit 63 bits."""

    base: str
    quote: str
    day: date
    numerator: int
    denominator: int


class RateSource(Protocol):
    """Where rates come from: a file today, a bank's service tomorrow."""

    def rates(self) -> Iterable[DatedRate]:
        """Return what the source publishes, in any order. Raises `ValueError` that says what is wrong and where."""


class _Series:
    """The rates of one pair by day: three columns, 20 bytes a rate."""

    __slots__ = ("days", "denominators", "numerators")

    def __init__(self) -> None:
        self.days, self.numerators, self.denominators = array("i"), array("q"), array("q")

    def put(self, rate: DatedRate) -> None:
        day = rate.day.toordinal()
        place = bisect_left(self.days, day)
        if place < len(self.days) and self.days[place] == day:
            self.numerators[place], self.denominators[place] = rate.numerator, rate.denominator
            return
        self.days.insert(place, day)
        self.numerators.insert(place, rate.numerator)
        self.denominators.insert(place, rate.denominator)

    def on(self, day: date) -> Rate | None:
        place = bisect_right(self.days, day.toordinal()) - 1
        if place < 0:
            return None
        return Rate(date.fromordinal(self.days[place]), self.numerators[place], self.denominators[place])


class RateBook:
    """Every rate that was told, the last word on a pair and day."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], _Series] = {}

    def put(self, rates: Iterable[DatedRate]) -> None:
        """Take over rates; one of a known pair and day replaces it."""
        for rate in rates:
            self._series.setdefault((rate.base, rate.quote), _Series()).put(rate)

    def rate(self, base: str, quote: str, day: date) -> Rate | None:
        """Return the last rate on or before a day: of the pair itself, else through a pivot; None when there is none.

        A rate through a pivot is as old as the older of its two.
        """
        direct = self._pair(base, quote, day)
        if direct is not None:
            return direct
        for pivot in PIVOTS:
            first, second = self._pair(base, pivot, day), self._pair(pivot, quote, day)
            if first is not None and second is not None:
                return _product(first, second)
        return None

    def _pair(self, base: str, quote: str, day: date) -> Rate | None:
        """Return the newer of a pair's own rate and its inverse; its own when they are of one day."""
        series, inverse = self._series.get((base, quote)), self._series.get((quote, base))
        own = series.on(day) if series is not None else None
        other = inverse.on(day) if inverse is not None else None
        if other is not None and (own is None or own.day < other.day):
            return Rate(other.day, other.denominator, other.numerator)
        return own


def _product(first: Rate, second: Rate) -> Rate:
    numerator, denominator = first.numerator * second.numerator, first.denominator * second.denominator
    common = gcd(numerator, denominator)
    return Rate(min(first.day, second.day), numerator // common, denominator // common)
