import pytest

from actors.measures import ShardMeasures
from actors.meters import Series
from actors.reports import (
    FORGOTTEN_S,
    PROCESSES_MAX,
    REPORT_BYTES_MAX,
    Reports,
    decode_reports,
    encode_series,
)

OWN = [Series("boond_shard_term", (), (1,))]


class Watch:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def reports(watch: Watch) -> Reports:
    return Reports(watch)


def held(reports: Reports) -> dict[str, float]:
    return {report.process: report.age_s for report in decode_reports(reports.collected("shard-0", OWN))}


def test_what_is_collected_is_ones_own_word_and_the_last_of_everybody_else(reports: Reports, watch: Watch) -> None:
    series = [Series("boond_live_sockets", ("open",), (3,)), Series("boond_live_push_lag_seconds", (), (1, 2, 0.5))]
    reports.take("live-a", encode_series([]))
    reports.take("live-a", encode_series(series))
    watch.at += 4
    own, other = decode_reports(reports.collected("shard-0", OWN))
    assert (own.process, own.age_s, own.series()) == ("shard-0", 0.0, OWN)
    assert (other.process, other.age_s, other.series()) == ("live-a", 4.0, series)


def test_a_gauge_that_was_set_to_a_truth_value_can_be_read_back() -> None:
    measures = ShardMeasures()
    measures.working.set(True)
    [report] = decode_reports(Reports().collected("shard-0", measures.series()))
    assert Series("boond_shard_working", (), (1,)) in report.series()


def test_who_reports_no_more_is_forgotten(reports: Reports, watch: Watch) -> None:
    reports.take("live-a", encode_series(OWN))
    watch.at += FORGOTTEN_S / 2
    reports.take("live-b", encode_series(OWN))
    watch.at += FORGOTTEN_S / 2 + 1
    assert set(held(reports)) == {"shard-0", "live-b"}


def test_a_report_beyond_the_limits_is_refused_and_those_that_are_known_go_on(
    reports: Reports, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    assert not reports.take("live-large", bytes(REPORT_BYTES_MAX + 1))
    for number in range(PROCESSES_MAX):
        assert reports.take(f"live-{number}", encode_series(OWN))
    assert not reports.take("live-more", encode_series(OWN))
    assert reports.take("live-0", encode_series(OWN))
    assert len(caplog.records) == 2
    watch.at += FORGOTTEN_S + 1
    assert reports.take("live-more", encode_series(OWN))
