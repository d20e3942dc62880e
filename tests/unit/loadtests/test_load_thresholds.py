import math

import pytest

from loadtests.scenarios import SCENARIOS, chosen
from loadtests.thresholds import BY_SCENARIO, PROMISES, Bound, misses, table


def reached(scenario: str) -> dict[str, float]:
    """Return metrics that reach every threshold."""
    return {line.metric: line.limit for line in table(SCENARIOS[scenario])}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_thresholds_and_each_of_them_can_be_missed(scenario: str) -> None:
    lines = table(SCENARIOS[scenario])
    assert set(PROMISES) <= set(lines)
    assert len({line.metric for line in lines}) == len(lines)
    assert misses(lines, reached(scenario)) == []
    for line in lines:
        beyond = line.limit + 1 if line.bound is Bound.AT_MOST else line.limit - 0.01
        (missed,) = misses(lines, {**reached(scenario), line.metric: beyond})
        assert missed.threshold == line
        assert line.metric in str(missed)


def test_what_nobody_measured_is_missed() -> None:
    metrics = reached("steady")
    del metrics["push_p99_ms"]
    (missed,) = misses(table(SCENARIOS["steady"]), metrics)
    assert missed.threshold.metric == "push_p99_ms"
    assert math.isnan(missed.value)
    assert misses(table(SCENARIOS["steady"]), {**metrics, "push_p99_ms": math.nan})


def test_what_a_scenario_sends_none_of_has_no_threshold() -> None:
    by_share = {
        share: {line.metric for line in table(chosen("steady", single_share=share))} & {"rest_p99_ms", "batch_p99_ms"}
        for share in (0.0, 0.5, 1.0)
    }
    assert by_share == {0.0: {"batch_p99_ms"}, 0.5: {"rest_p99_ms", "batch_p99_ms"}, 1.0: {"rest_p99_ms"}}


def test_a_slow_machine_scales_times_and_never_counts() -> None:
    plain, slow = table(SCENARIOS["steady"]), table(SCENARIOS["steady"], slow=3.0)
    for before, after in zip(plain, slow, strict=True):
        assert after.limit == before.limit * (3.0 if before.metric.endswith("_ms") else 1.0)


def test_a_limit_can_be_set_but_only_where_there_is_one() -> None:
    (line,) = [
        line for line in table(SCENARIOS["soak"], slow=2.0, limits={"push_p50_ms": 5.0}) if line.metric == "push_p50_ms"
    ]
    assert line.limit == 5.0
    with pytest.raises(ValueError, match="no threshold pushes"):
        table(SCENARIOS["soak"], limits={"pushes": 1.0})


def test_the_table_and_the_scenarios_name_the_same() -> None:
    assert set(BY_SCENARIO) == set(SCENARIOS)


def test_a_scenario_takes_what_is_set_and_keeps_the_rest() -> None:
    scenario = chosen("reconnect-storm", users=100, rate=None)
    assert (scenario.users, scenario.storm, scenario.rate) == (100, 100, SCENARIOS["reconnect-storm"].rate)
    for bad in ({"users": 0}, {"rate": 0.0}, {"duration_s": -1.0}):
        with pytest.raises(ValueError, match="expected some of each"):
            chosen("steady", **bad)
    with pytest.raises(ValueError, match="expected one of steady"):
        chosen("stedy")
