"""`make bench`: one table of what Boond does on this machine. docs/benchmarks.md says how to read it."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from actors.collector import calm
from tests.acceptance.boond import running
from tests.benchmarks import bench_engine, bench_observing, bench_sockets, end_to_end, in_process, references
from tests.benchmarks.end_to_end import Served
from tests.benchmarks.table import Row, show

ROUNDS = 2
"""Each server is started anew a round and has the machine to itself; every round is shown, none is picked."""

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


def _boond(*, first: bool) -> tuple[list[Row], Served]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bb-") as place, running(Path(place) / "data") as boond:
        target = end_to_end.boond_target(boond, boond.token("bench", "service"))
        if first:
            memory = end_to_end.memory_kb_a_user(boond, target)
            p50, p99 = end_to_end.push_ms(boond)
            rows = [
                ("from `up` to ready, new data folder", f"{boond.up_s:.1f} s", ""),
                ("memory of an active user", f"{memory:.1f} KiB", "jar, budget, ten purchases"),
                ("send to push, one socket", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", ""),
            ]
        return rows, end_to_end.measure(target)


def _servers() -> list[Row]:
    rows: list[Row] = []
    served: dict[str, list[Served]] = {}
    unfit: dict[str, str] = {}
    for number in range(ROUNDS):
        more, ours = _boond(first=number == 0)
        rows += more
        served.setdefault("Boond", []).append(ours)
        for name, start, batches in _REFERENCES if references.folder() else ():
            if name in unfit:
                continue
            try:
                with start() as port:
                    theirs = end_to_end.measure(end_to_end.reference_target(port, batches=batches))
            except references.NotServing as error:
                unfit[name] = str(error)
            else:
                served.setdefault(name, []).append(theirs)
    for name, rounds in served.items():
        rows += _load_rows(name, rounds)
    for name in list(served)[1:]:
        rows += _ratio_rows(name, served["Boond"], served[name])
    return rows + [(name, "does not start", reason) for name, reason in unfit.items()]


def _each(values: Iterable[float], form: str) -> str:
    return " / ".join(format(value, form) for value in values)


def _load_rows(name: str, rounds: list[Served]) -> list[Row]:
    alone, many = [served.alone for served in rounds], [served.many for served in rounds]
    batches = [served.batches for served in rounds if served.batches]
    generator = _each((result.cpu for result in many), ".0%")
    rows = [
        (
            f"{name}: p50 one at a time",
            _each((r.p50_ms for r in alone), ".2f") + " ms",
            f"p99 {_each((r.p99_ms for r in alone), '.1f')} ms",
        ),
        (
            f"{name}: 64 connections",
            _each((r.per_s for r in many), ",.0f") + " tx/s",
            f"p99 {_each((r.p99_ms for r in many), '.0f')} ms; generator {generator} of a core",
        ),
    ]
    if batches:
        note = f"4 connections; p50 {_each((r.p50_ms for r in batches), '.0f')} ms a batch"
        rows.append((f"{name}: batches of 200", _each((s.batch_tx_s for s in rounds), ",.0f") + " tx/s", note))
    return rows


def _ratio_rows(name: str, ours: list[Served], theirs: list[Served]) -> list[Row]:
    targets = ("target at least 0.70", "target at most 1.50") if name == "bare pipeline" else ("", "")
    pairs = list(zip(ours, theirs, strict=True))
    many = _each((a.many.per_s / b.many.per_s for a, b in pairs), ".2f")
    alone = _each((a.alone.p50_ms / b.alone.p50_ms for a, b in pairs), ".2f")
    rows = [
        (f"Boond over {name}: tx/s at 64 connections", many, targets[0]),
        (f"Boond over {name}: p50 one at a time", alone, targets[1]),
    ]
    if theirs[0].batches:
        batches = _each((a.batch_tx_s / b.batch_tx_s for a, b in pairs), ".2f")
        rows.append((f"Boond over {name}: tx/s in batches", batches, ""))
    return rows


def main() -> None:
    """Measure everything and print the table; writes nothing that stays."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; about six minutes ...", flush=True)
    calm()
    rows = _engine() + bench_observing.rows(rounds=3) + _servers() + bench_sockets.measure()
    if references.folder() is None:
        rows.append(("references", "not there", "set BOOND_BENCH_REFERENCE"))
    show(rows)


if __name__ == "__main__":
    main()
