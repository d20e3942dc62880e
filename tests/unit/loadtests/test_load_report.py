import json
from pathlib import Path

import pytest

from loadtests import report
from loadtests.histogram import Histogram
from loadtests.holder import Report
from loadtests.listening import Tally
from loadtests.outcomes import Outcomes
from loadtests.reconcile import Findings
from loadtests.scenarios import SCENARIOS
from loadtests.thresholds import misses, table

STEADY = SCENARIOS["steady"]


def holder(tally: Tally) -> Report:
    return Report(sockets=1, open=1, seconds=1.0, cpu_s=0.1, rss_bytes=1, tally=tally, figures={})


def run() -> tuple[Findings, Outcomes, list[Report]]:
    """Return what a run without fault leaves, two holders."""
    outcomes = Outcomes(due=10, sent=10, acknowledged=10, phones=[("asha", 0, 1, 1)] * STEADY.phones)
    tallies = [Tally(turns=5), Tally(turns=5)]
    for tally, nanos in zip(tallies, (4_000_000, 8_000_000), strict=True):
        tally.push.add_ns(nanos)
    return Findings(acknowledged=10, turns=12), outcomes, [holder(tally) for tally in tallies]


@pytest.mark.parametrize("finding", ["lost", "misplaced", "doubled", "not_pushed", "pushed_otherwise", "holes"])
def test_every_finding_is_a_metric_that_is_missed(finding: str) -> None:
    findings, outcomes, holders = run()
    findings.note(finding, "an example")
    missed = misses(table(STEADY), report.metrics(STEADY, findings, outcomes, holders))
    assert finding in {miss.threshold.metric for miss in missed}


@pytest.mark.parametrize(
    ("tally", "metric"),
    [
        (Tally(out_of_order=1), "out_of_order"),
        (Tally(resets=1), "resets"),
        (Tally(protocol_errors_count=1), "protocol_errors"),
        (Tally(closed={"4008": 1}), "fatal_closes"),
        (Tally(refused={"500": 1}), "untyped_upgrades"),
    ],
)
def test_what_one_holder_of_several_saw_is_missed(tally: Tally, metric: str) -> None:
    findings, outcomes, holders = run()
    before = {
        miss.threshold.metric for miss in misses(table(STEADY), report.metrics(STEADY, findings, outcomes, holders))
    }
    found = report.metrics(STEADY, findings, outcomes, [*holders, holder(tally)])
    after = {miss.threshold.metric for miss in misses(table(STEADY), found)}
    assert after - before == {metric}


def test_a_phone_that_left_without_a_word_is_missed() -> None:
    findings, outcomes, holders = run()
    outcomes.phones.pop()
    missed = misses(table(STEADY), report.metrics(STEADY, findings, outcomes, holders))
    assert "phones_heard_share" in {miss.threshold.metric for miss in missed}


def test_what_a_client_can_act_on_is_no_miss() -> None:
    findings, outcomes, holders = run()
    tally = Tally(closed={"1006": 2, "4108": 1, "4200": 1}, refused={"503": 3, "ConnectionRefusedError": 1})
    found = report.metrics(STEADY, findings, outcomes, [*holders, holder(tally)])
    assert (found["fatal_closes"], found["untyped_upgrades"]) == (0, 0)


def test_times_of_all_processes_are_one_distribution() -> None:
    findings, outcomes, holders = run()
    outcomes.latency["push"] = Histogram()
    outcomes.latency["push"].add_ns(100_000_000)
    found = report.metrics(STEADY, findings, outcomes, holders)
    assert found["measured_pushes"] == 3
    assert found["push_p50_ms"] == pytest.approx(8.0, rel=0.02)
    assert found["push_p99_ms"] == pytest.approx(100.0, rel=0.02)


def test_the_report_names_what_was_missed_for_people_and_programs(tmp_path: Path) -> None:
    findings, outcomes, holders = run()
    findings.note("lost", "<b>e1</b> of asha")
    found = report.metrics(STEADY, findings, outcomes, holders)
    lines = table(STEADY)
    missed = misses(lines, found)
    result = report.Result(
        scenario=STEADY, run_id="r", seed=1, metrics=found, latency={}, findings=findings, outcomes=outcomes,
        holders=holders, usage=[], notes=[], missed=[str(miss) for miss in missed],
    )  # fmt: skip
    text = report.write(tmp_path, result, lines, missed)
    assert any(line.startswith("MISSED lost: 1") for line in text)
    assert "&lt;b&gt;e1" in (tmp_path / "index.html").read_text()
    assert json.loads((tmp_path / "result.json").read_text())["metrics"]["lost"] == 1
