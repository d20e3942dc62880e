import math
import random

import msgspec
import pytest

from loadtests.histogram import Histogram, merged


def of(micros: list[int]) -> Histogram:
    histogram = Histogram()
    for value in micros:
        histogram.add_ns(value * 1000)
    return histogram


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_a_percentile_is_the_nearest_rank_and_at_most_one_bucket_above(share: float) -> None:
    rng = random.Random(7)
    values = sorted(int(rng.lognormvariate(8, 2)) for _ in range(5_000))
    exact = values[math.ceil(share * len(values)) - 1] / 1000
    found = of(values).percentile_ms(share)
    assert exact <= found <= exact * (1 + 1 / 64) + 0.001


def test_every_duration_falls_below_the_top_of_its_own_bucket() -> None:
    for micros in [0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 1_000, 999_999, 2**31, 2**40 + 12_345]:
        assert of([micros]).percentile_ms(0.5) == micros / 1000


def test_parts_add_up_to_the_whole_also_over_json() -> None:
    rng = random.Random(3)
    values = [rng.randrange(10**7) for _ in range(999)]
    parts = [of(values[:300]), of(values[300:]), Histogram()]
    over_json = [msgspec.json.decode(msgspec.json.encode(part), type=Histogram) for part in parts]
    assert merged(over_json) == of(values)


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(Histogram().percentile_ms(0.5))
    assert Histogram().figures()["p99_ms"] is None


def test_what_arrives_before_it_was_sent_counts_as_nothing() -> None:
    histogram = Histogram()
    histogram.add_ns(-5_000)
    assert (histogram.total, histogram.max_us) == (1, 0)
