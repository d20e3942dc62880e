"""Who is busy, and when: Zipf-skewed users, Poisson arrivals with bursts. All from a seed.

Skew: rank k has weight 1 / k**s. s = 0.99 is YCSB's default (Cooper et al., "Benchmarking Cloud Serving Systems with
YCSB", SoCC 2010): of 1,000 users the busiest makes 13 % of events. Uniform keys can hide a hot actor (Orleans, capacity
planning), so uniform (s = 0) is for figures of "random users" only. Bursts: the busiest hour of the demo's real
household has 99 of 1,000 spends and its busiest weekday 1.29 times the mean (`serve/demo/shape.py`), so a peak is
0.099 * 24 * 1.29 = 3.1 times the mean. A wallet that hands on a backlog does worse; factor 10 is our choice for that.
"""

import math
import random
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

YCSB_EXPONENT = 0.99
HOUSEHOLD_PEAK = 3.1
BACKLOG_PEAK = 10.0


class Zipf:
    """Draws of `count` users; which user has which rank is shuffled by the same randomness."""

    def __init__(self, count: int, exponent: float, rng: random.Random) -> None:
        if count < 1 or exponent < 0:
            raise ValueError(f"{count} users with exponent {exponent}: expected at least 1, and 0 or more")
        self._rng = rng
        self._users = rng.sample(range(count), count)
        self._edges = list(accumulate(1.0 / rank**exponent for rank in range(1, count + 1)))

    def reseed(self, rng: random.Random) -> None:
        """Go on with other randomness: the same ranks, other draws."""
        self._rng = rng

    def draw(self) -> int:
        """Return the number of a user, from 0."""
        return self._users[min(bisect(self._edges, self._rng.random() * self._edges[-1]), len(self._users) - 1)]


class Bursts(Struct, frozen=True):
    """Every `every_s` the rate is `factor` times higher for `lasts_s`; the first begins after one period's rest."""

    factor: float = 1.0
    every_s: float = 20.0
    lasts_s: float = 2.0

    def factor_at(self, at_s: float) -> float:
        """Return by how much the rate is higher at a moment."""
        return self.factor if at_s % self.every_s >= self.every_s - self.lasts_s else 1.0


def arrivals(per_s: float, seconds: float, bursts: Bursts, rng: random.Random) -> Iterator[float]:
    """Yield the moments, in seconds from the start, of a Poisson process whose rate follows `bursts` (by thinning).

    They are fixed before anything is sent, and nothing the server does delays them: the load is open.
    """
    if per_s <= 0:
        return
    top, at_s = per_s * max(1.0, bursts.factor), 0.0
    while (at_s := at_s + rng.expovariate(top)) < seconds:
        if rng.random() * max(1.0, bursts.factor) < bursts.factor_at(at_s):
            yield at_s


def batch_size(rng: random.Random, largest: int) -> int:
    """Return 1 to `largest`, log-uniform: as many batches below 14 events as above, for 200."""
    return min(largest, int(math.exp(rng.uniform(0.0, math.log(largest + 1)))))


def mean_batch(largest: int) -> float:
    """Return the mean of `batch_size`."""
    whole = math.log(largest + 1)
    return sum(size * math.log((size + 1) / size) for size in range(1, largest + 1)) / whole
