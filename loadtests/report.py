"""The result of a run: figures by name, for people and for programs."""

import html
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from loadtests.histogram import Histogram, merged
from loadtests.holder import Report
from loadtests.listening import NEVER_RETRY, Tally
from loadtests.outcomes import Outcomes
from loadtests.reconcile import Findings
from loadtests.scenarios import Scenario
from loadtests.thresholds import Bound, Miss, Threshold
from loadtests.usage import Use

_TYPED = ("429", "503")


class Result(Struct, kw_only=True):
    """Everything a run measured."""

    scenario: Scenario
    run_id: str
    seed: int
    metrics: dict[str, float]
    latency: dict[str, dict[str, float | int | None]]
    findings: Findings
    outcomes: Outcomes
    holders: list[Report]
    usage: list[Use]
    notes: list[str]
    missed: list[str] = []


def latencies(outcomes: Outcomes, holders: Sequence[Report]) -> dict[str, Histogram]:
    """Return the times of a run by what was timed."""
    named = dict(outcomes.latency)
    named["push"] = merged([named.get("push", Histogram()), *(report.tally.push for report in holders)])
    for name in ("caught_up", "entry", "back", "stalls"):
        named[name] = merged(getattr(report.tally, name) for report in holders)
    named["generator late"] = outcomes.late
    return named


def metrics(scenario: Scenario, findings: Findings, outcomes: Outcomes, holders: Sequence[Report]) -> dict[str, float]:
    """Return what thresholds look at, by name; what nobody measured is left out."""
    times = latencies(outcomes, holders)
    tallies = [report.tally for report in holders]
    found: dict[str, float] = {
        name: getattr(findings, name)
        for name in (
            "lost", "misplaced", "doubled", "not_pushed", "pushed_otherwise", "holes", "feed_missing",
            "feed_disordered", "acknowledged", "turns",
        )
    }  # fmt: skip
    for name in ("out_of_order", "resets", "repeated", "resumed", "asked_again", "dead_lines", "slow_entries"):
        found[name] = sum(getattr(tally, name) for tally in tallies)
    found |= {
        "protocol_errors": sum(tally.protocol_errors_count for tally in tallies),
        "fatal_closes": _sum(tallies, "closed", lambda code: int(code) in NEVER_RETRY),
        "untyped_upgrades": _sum(tallies, "refused", lambda met: met.isdigit() and met not in _TYPED),
        "duplicates_missed": outcomes.duplicates_missed,
        "untyped_errors": outcomes.untyped,
        "gave_up": outcomes.gave_up,
        "retryable_errors": sum(outcomes.retryable.values()),
        "line_errors": sum(outcomes.line_errors.values()),
        "sent_share": outcomes.sent / outcomes.due if outcomes.due else math.nan,
        "sent_per_s": outcomes.sent / (scenario.warmup_s + scenario.duration_s),
        "phones_heard_share": len(outcomes.phones) / scenario.phones if scenario.phones else 1.0,
        "measured_pushes": times["push"].total,
    }
    for metric, name, share in (
        ("push_p50_ms", "push", 0.5),
        ("push_p99_ms", "push", 0.99),
        ("rest_p50_ms", "single", 0.5),
        ("rest_p99_ms", "single", 0.99),
        ("batch_p99_ms", "batch", 0.99),
        ("read_p99_ms", "read", 0.99),
        ("back_p99_ms", "back", 0.99),
        ("generator_late_p99_ms", "generator late", 0.99),
    ):
        if (timed := times.get(name)) is not None and timed.total:
            found[metric] = timed.percentile_ms(share)
    return found


def _sum(tallies: Iterable[Tally], counts: str, is_meant: Callable[[str], bool]) -> int:
    return sum(n for tally in tallies for name, n in getattr(tally, counts).items() if is_meant(name))


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:,.1f}" if isinstance(value, float) and value < 1e6 else f"{value:,}"


def lines(result: Result, thresholds: Sequence[Threshold], missed: Sequence[Miss]) -> list[str]:
    """Return the report as text."""
    scenario = result.scenario
    text = [
        f"{scenario.name}: {scenario.users} sockets, {scenario.phones} phones, {scenario.rate:g} events/s"
        f" ({scenario.single_share:.0%} single), {scenario.duration_s:g} s after {scenario.warmup_s:g} s, Zipf"
        f" {scenario.zipf:g}, seed {result.seed}",
        *result.notes,
        f"{'time, ms':<18}{'count':>10}{'mean':>10}{'p50':>10}{'p99':>10}{'p99.9':>10}{'max':>10}",
    ]
    for name, figures in result.latency.items():
        cells = (figures[key] for key in ("count", "mean_ms", "p50_ms", "p99_ms", "p999_ms", "max_ms"))
        text.append(f"{name:<18}" + "".join(f"{_number(cell):>10}" for cell in cells))
    text.append(f"{'process':<18}{'count':>10}{'cores':>10}{'MB':>10}")
    text += [f"{u.part[:17]:<18}{u.processes:>10}{u.cores:>10.2f}{u.rss_mb:>10.0f}" for u in result.usage]
    found = result.metrics
    names = ("sent_per_s", "acknowledged", "turns", "measured_pushes", "lost", "not_pushed", "out_of_order", "doubled")
    text.append(", ".join(f"{name} {found.get(name, math.nan):,.6g}" for name in names))
    text += [f"  {example}" for example in (*result.findings.examples, *result.outcomes.examples[:5])]
    text += [str(miss) for miss in missed]
    text.append(f"{len(thresholds) - len(missed)} of {len(thresholds)} thresholds reached")
    return text


_PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui;margin:2em;max-width:70em}}td,th{{padding:.2em .8em;text-align:right}}
td:first-child,th:first-child,td:last-child{{text-align:left}}.missed{{background:#fdd}}pre{{overflow:auto}}</style>
<h1>{title}: {verdict}</h1><p><a href="locust.html">Requests, by Locust</a> · <a href="result.json">all figures</a></p>
<table><tr><th>threshold<th>value<th>expected<th></tr>{rows}</table><pre>{text}</pre>
"""


def _page(result: Result, thresholds: Sequence[Threshold], missed: Sequence[Miss]) -> str:
    bad = {miss.threshold.metric for miss in missed}
    rows = "".join(
        f"<tr{' class=missed' if line.metric in bad else ''}><td>{line.metric}"
        f"<td>{result.metrics.get(line.metric, math.nan):,.6g}"
        f"<td>{'≤' if line.bound is Bound.AT_MOST else '≥'} {line.limit:,.6g}<td>{html.escape(line.meaning)}</tr>"
        for line in thresholds
    )
    return _PAGE.format(
        title=html.escape(f"Load test {result.scenario.name}"),
        verdict="missed" if missed else "reached",
        rows=rows,
        text=html.escape("\n".join(lines(result, thresholds, missed))),
    )


def write(folder: Path, result: Result, thresholds: Sequence[Threshold], missed: Sequence[Miss]) -> list[str]:
    """Write `index.html`, `result.json` and `result.txt` into a folder; return the text's lines."""
    text = lines(result, thresholds, missed)
    (folder / "result.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    (folder / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    (folder / "index.html").write_text(_page(result, thresholds, missed), encoding="utf-8")
    return text
