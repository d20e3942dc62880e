import math
import random
from collections import Counter
from itertools import pairwise

import pytest

from loadtests.skew import YCSB_EXPONENT, Bursts, Zipf, arrivals, batch_size, mean_batch


def test_busy_users_follow_zipfs_law() -> None:
    draws = 60_000
    zipf = Zipf(1_000, YCSB_EXPONENT, random.Random(3))
    drawn = [count for _, count in Counter(zipf.draw() for _ in range(draws)).most_common()]
    harmonic = sum(1.0 / rank**YCSB_EXPONENT for rank in range(1, 1_001))
    for rank in (1, 2, 4, 8):
        assert drawn[rank - 1] == pytest.approx(draws / rank**YCSB_EXPONENT / harmonic, rel=0.1)


def test_without_skew_all_are_alike() -> None:
    zipf = Zipf(10, 0.0, random.Random(3))
    counts = Counter(zipf.draw() for _ in range(20_000))
    assert set(counts) == set(range(10))
    assert max(counts.values()) < 1.15 * min(counts.values())


def test_two_senders_of_a_run_have_the_same_busy_users() -> None:
    first, second = Zipf(500, 1.2, random.Random(9)), Zipf(500, 1.2, random.Random(9))
    second.reseed(random.Random("other"))
    ones = [[zipf.draw() for _ in range(5_000)] for zipf in (first, second)]
    assert ones[0] != ones[1]
    assert Counter(ones[0]).most_common(1)[0][0] == Counter(ones[1]).most_common(1)[0][0]


@pytest.mark.parametrize(("count", "exponent"), [(0, 1.0), (5, -0.1)])
def test_a_skew_that_makes_no_sense_is_refused(count: int, exponent: float) -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        Zipf(count, exponent, random.Random(1))


def test_arrivals_are_poisson_at_the_rate_and_repeat_by_seed() -> None:
    moments = list(arrivals(200.0, 50.0, Bursts(), random.Random(4)))
    assert moments == list(arrivals(200.0, 50.0, Bursts(), random.Random(4)))
    assert moments == sorted(moments)
    assert moments[-1] < 50.0
    assert len(moments) == pytest.approx(10_000, rel=0.03)
    gaps = [after - before for before, after in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert spread == pytest.approx(mean, rel=0.05)


def test_a_burst_is_so_many_times_denser_and_leaves_the_rest_alone() -> None:
    bursts = Bursts(factor=10.0, every_s=20.0, lasts_s=2.0)
    moments = list(arrivals(50.0, 200.0, bursts, random.Random(8)))
    inside = [moment for moment in moments if moment % 20.0 >= 18.0]
    assert len(inside) == pytest.approx(50 * 10 * 20, rel=0.05)
    assert len(moments) - len(inside) == pytest.approx(50 * 180, rel=0.05)


def test_nothing_arrives_at_no_rate() -> None:
    assert list(arrivals(0.0, 10.0, Bursts(), random.Random(1))) == []


def test_batches_are_log_uniform() -> None:
    rng = random.Random(2)
    sizes = [batch_size(rng, 200) for _ in range(40_000)]
    assert (min(sizes), max(sizes)) == (1, 200)
    assert sum(sizes) / len(sizes) == pytest.approx(mean_batch(200), rel=0.03)
    assert sum(size < 14 for size in sizes) == pytest.approx(20_000, rel=0.05)
