"""Durations in buckets of constant relative width, so that processes can add theirs up.

Each power of two of microseconds is cut into 64 buckets: a percentile is at most 1.6 % above the truth, never below
(the idea of HdrHistogram, G. Tene). Exact means and maxima are kept beside.
"""

import math
from collections.abc import Iterable

from msgspec import Struct, field

_CUTS_BITS = 6
_CUTS = 1 << _CUTS_BITS


def _bucket(micros: int) -> int:
    if micros < _CUTS:
        return micros
    power = micros.bit_length() - _CUTS_BITS - 1
    return (power << _CUTS_BITS) + (micros >> power)


def _top(bucket: int) -> int:
    """Return the largest number of microseconds that falls into a bucket."""
    if bucket < 2 * _CUTS:
        return bucket
    power = (bucket >> _CUTS_BITS) - 1
    return ((bucket - (power << _CUTS_BITS)) << power) + (1 << power) - 1


class Histogram(Struct):
    """Counts by bucket; at most some 2,600 buckets up to a year. Goes through JSON as it is."""

    counts: dict[int, int] = field(default_factory=dict)
    total: int = 0
    sum_us: int = 0
    max_us: int = 0

    def add_ns(self, nanos: int) -> None:
        """Count one duration; what is below zero counts as zero."""
        micros = max(0, nanos // 1000)
        bucket = _bucket(micros)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += 1
        self.sum_us += micros
        self.max_us = max(self.max_us, micros)

    def merge(self, other: "Histogram") -> None:
        """Add another's counts to these."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.total += other.total
        self.sum_us += other.sum_us
        self.max_us = max(self.max_us, other.max_us)

    def percentile_ms(self, share: float) -> float:
        """Return the nearest-rank percentile in milliseconds; NaN of nothing."""
        if not self.total:
            return math.nan
        wanted, seen = max(1, math.ceil(share * self.total)), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return min(_top(bucket), self.max_us) / 1000
        return self.max_us / 1000

    def figures(self) -> dict[str, float | int | None]:
        """Return count, mean, p50, p99, p99.9 and maximum in milliseconds; None where nothing was counted."""
        if not self.total:
            return {"count": 0, "mean_ms": None, "p50_ms": None, "p99_ms": None, "p999_ms": None, "max_ms": None}
        return {
            "count": self.total,
            "mean_ms": round(self.sum_us / self.total / 1000, 3),
            "p50_ms": self.percentile_ms(0.5),
            "p99_ms": self.percentile_ms(0.99),
            "p999_ms": self.percentile_ms(0.999),
            "max_ms": self.max_us / 1000,
        }


def merged(parts: Iterable[Histogram]) -> Histogram:
    """Return the sum of several."""
    together = Histogram()
    for part in parts:
        together.merge(part)
    return together
