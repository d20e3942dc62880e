"""The text as prometheus_client reads it."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.meters import Series
from serve.live.measures import LiveMeasures
from serve.observe.exposition import exposition


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_counts_and_gauges_of_several_processes_are_one_family() -> None:
    here, there = LiveMeasures(), LiveMeasures()
    here.closed.inc("4108", by=2)
    there.closed.inc("client")
    there.users.set(2.5)
    text = exposition({"live-a": here.series(), "live-b": there.series()})
    assert text.count(b"# TYPE boond_live_sockets_closed_total counter\n") == 1
    found = samples(text)
    assert found[key("boond_live_sockets_closed_total", process="live-a", code="4108")] == 2
    assert found[key("boond_live_sockets_closed_total", process="live-b", code="client")] == 1
    assert found[key("boond_live_users", process="live-b")] == 2.5


def test_a_histogram_has_buckets_that_add_up_a_sum_and_a_count() -> None:
    measures = LiveMeasures()
    for seconds in (0.0004, 0.003, 0.003, 99.0):
        measures.push_lag.observe(seconds)
    found = samples(exposition({"live-a": measures.series()}))
    bucket = "boond_live_push_lag_seconds_bucket"
    assert found[key(bucket, process="live-a", le="0.0005")] == 1
    assert found[key(bucket, process="live-a", le="0.005")] == 3
    assert found[key(bucket, process="live-a", le="10")] == 3
    assert found[key(bucket, process="live-a", le="+Inf")] == 4
    assert found[key("boond_live_push_lag_seconds_count", process="live-a")] == 4
    assert found[key("boond_live_push_lag_seconds_sum", process="live-a")] == pytest.approx(99.0064)


@pytest.mark.parametrize("text", ['a "word"', "two\nlines", "back\\slash", "चाय"])
def test_what_a_label_holds_is_read_back_as_it_was(text: str) -> None:
    found = samples(exposition({"api-a": [Series("boond_shard_refusals_total", (text,), (1,))]}))
    assert found[key("boond_shard_refusals_total", process="api-a", code=text)] == 1


@pytest.mark.parametrize(
    "foreign",
    [
        Series("boond_of_a_newer_release_total", (), (1,)),
        Series("boond_live_users", ("a label more",), (1,)),
        Series("boond_live_push_lag_seconds", (), (1, 2, 3.0)),
    ],
)
def test_what_another_release_counts_is_left_out(foreign: Series) -> None:
    assert exposition({"live-a": [foreign]}) == b""


def test_a_large_number_is_written_whole() -> None:
    large: list[Any] = [Series("boond_live_queued_bytes_total", (), (12_345_678_901_234,))]
    assert b"} 12345678901234\n" in exposition({"live-a": large})
