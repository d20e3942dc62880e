"""`make bench`: one table of what Boond does on this machine. docs/benchmarks.md says how to read it."""

import contextlib
import os
import tempfile
from pathlib import Path

from actors.collector import calm
from tests.acceptance.boond import running
from tests.benchmarks import bench_engine, end_to_end, in_process, references
from tests.benchmarks.end_to_end import Served

Row = tuple[str, str, str]

_REFERENCES = (("bare pipeline", references.bare, True), ("conventional", references.conventional, False))
"""Name, how to start it, whether it takes batches."""


def _engine() -> list[Row]:
    us = bench_engine.measure()
    alone, durable = in_process.without_postgres(), in_process.with_postgres()
    return [
        ("engine: decide + evolve + encode", f"{us:.1f} us a purchase", "target 25 us"),
        ("one shard, nothing kept", f"{alone.per_s:,.0f} turns/s", f"{alone.cpu_us:.0f} us CPU a turn"),
        ("one shard on Postgres", f"{durable.per_s:,.0f} turns/s", f"{durable.cpu_us:.0f} us CPU a turn"),
    ]


def _servers() -> list[Row]:
    rows: list[Row] = []
    with contextlib.ExitStack() as running_too:
        place = Path(running_too.enter_context(tempfile.TemporaryDirectory(prefix="bb-")))
        boond = running_too.enter_context(running(place / "data"))
        target = end_to_end.boond_target(boond, boond.token("bench", "service"))
        memory = end_to_end.memory_kb_a_user(boond, target)
        p50, p99 = end_to_end.push_ms(boond)
        rows += [
            ("from `up` to ready, new data folder", f"{boond.up_s:.1f} s", ""),
            ("memory of an active user", f"{memory:.1f} KiB", "jar, budget, ten purchases"),
            ("send to push, one socket", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", ""),
        ]
        targets, names = [target], ["Boond"]
        for name, start, batches in _REFERENCES if references.folder() else ():
            try:
                port = running_too.enter_context(start())
            except references.NotServing as error:
                rows.append((name, "does not start", str(error)))
            else:
                targets.append(end_to_end.reference_target(port, batches=batches))
                names.append(name)
        ours, *theirs = end_to_end.side_by_side(targets)
    rows += _load_rows("Boond", ours)
    for name, served in zip(names[1:], theirs, strict=True):
        rows += _load_rows(name, served) + _ratio_rows(name, ours, served)
    return rows


def _load_rows(name: str, served: Served) -> list[Row]:
    alone, many, batches = served.alone, served.many, served.batches
    rows = [
        (f"{name}: one at a time", f"p50 {alone.p50_ms:.2f} ms, p99 {alone.p99_ms:.2f} ms", f"{alone.per_s:,.0f} tx/s"),
        (
            f"{name}: 64 connections",
            f"{many.per_s:,.0f} tx/s",
            f"p50 {many.p50_ms:.1f} ms, p99 {many.p99_ms:.1f} ms; generator {many.cpu:.0%} of a core",
        ),
    ]
    if batches:
        note = f"4 connections; p50 {batches.p50_ms:.0f} ms a batch; generator {batches.cpu:.0%} of a core"
        rows.append((f"{name}: batches of 200", f"{served.batch_tx_s:,.0f} tx/s", note))
    return rows


def _ratio_rows(name: str, ours: Served, theirs: Served) -> list[Row]:
    targets = ("target at least 0.70", "target at most 1.50") if name == "bare pipeline" else ("", "")
    rows = [
        (f"Boond / {name}: tx/s at 64 connections", f"{ours.many.per_s / theirs.many.per_s:.2f}", targets[0]),
        (f"Boond / {name}: p50 one at a time", f"{ours.alone.p50_ms / theirs.alone.p50_ms:.2f}", targets[1]),
    ]
    if theirs.batches:
        rows.append((f"Boond / {name}: tx/s in batches", f"{ours.batch_tx_s / theirs.batch_tx_s:.2f}", ""))
    return rows


def _print(rows: list[Row]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for what, figure, note in rows:
        print(f"{what:<{widths[0]}}  {figure:>{widths[1]}}  {note}".rstrip())


def main() -> None:
    """Measure everything and print the table; writes nothing that stays."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; about three minutes ...", flush=True)
    calm()
    rows = _engine() + _servers()
    if references.folder() is None:
        rows.append(("references", "not there", "set BOOND_BENCH_REFERENCE"))
    _print(rows)


if __name__ == "__main__":
    main()
