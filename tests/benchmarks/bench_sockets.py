"""Sockets by the thousand: memory, fan-out, the job, a storm, laggards, and the same job on python-socketio.

Run: python -m tests.benchmarks.bench_sockets [--full] [--only floods|job|laggards|replicas] [--seconds N]. Without
`--full` it is the section of `make bench`, at a size that takes two to three minutes.
"""

import argparse
import os
from collections.abc import Callable, Sequence

from msgspec import Struct

from tests.benchmarks.sockets import floods, job, servers
from tests.benchmarks.sockets.floods import Flooded
from tests.benchmarks.sockets.job import Done, Job
from tests.benchmarks.table import Row, show


class Size(Struct, frozen=True, kw_only=True):
    """How much is measured."""

    sockets: int
    pushes: int
    """A flood, all sockets together."""
    job: Job
    replicas_sockets: int = 0


REDUCED = Size(sockets=1_000, pushes=30_000, job=Job(1_000, 300.0, 10.0, storm=500))
FULL = Size(sockets=7_000, pushes=140_000, job=Job(7_000, 500.0, 60.0, storm=3_000), replicas_sockets=10_000)


def _flood_rows(size: Size) -> list[Row]:
    found = floods.measure(size.sockets, size.pushes)
    bare = [each for each in found if each.name == found[0].name]
    rows = [_flood_row(each) for each in found]
    for each in found[1:-1]:
        ratios = " / ".join(f"{each.per_s / one.per_s:.2f}" for one in bare)
        of_cpu = " / ".join(f"{one.cpu_us / each.cpu_us:.2f}" for one in bare)
        rows.append((f"{each.name} over bare: pushes/s", ratios, f"target 0.70; by CPU a push {of_cpu}"))
    return rows


def _flood_row(flooded: Flooded) -> Row:
    door = f", HAProxy {flooded.door_kb:.0f}" if flooded.door_kb else ""
    figure = f"{flooded.kb_a_socket:.1f} KiB a socket{door}"
    return flooded.name, figure, f"{flooded.per_s:,.0f} pushes/s, {flooded.cpu_us:.1f} us CPU a push"


def _job_rows(name: str, asked: Job, done: Done) -> list[Row]:
    events = done.events
    rows = [
        (
            f"{name}: {asked.sockets:,} sockets, {asked.per_s:.0f} events/s",
            f"p50 {done.p50_ms:.1f} ms, p99 {done.p99_ms:.1f} ms",
            f"send to push, {asked.seconds:.0f} s; max {done.max_ms:.0f} ms, events late {events.late_ms_max:.0f} ms",
        ),
        (
            f"{name}: of {events.sent:,} events",
            f"{done.lost} lost, {done.out_of_order} out of order",
            f"{events.errors} refused; {done.repeated} repeated {events.first_error[:60]}".rstrip(),
        ),
        (
            f"{name}: the process of the sockets",
            f"{done.kb_a_socket:.1f} KiB a socket",
            f"{done.gateway_cpu:.0%} of a core, phones {done.phones_cpu:.0%}; all open in {done.open_s:.1f} s",
        ),
    ]
    if done.storm is not None:
        rest = done.storm.rest
        errors = f"{rest.errors} errors of {rest.sent} {rest.first_error[:60]}".rstrip()
        rows.append(
            (
                f"{name}: storm of {asked.storm:,} resumes",
                f"{done.storm.resumed:,} in {done.storm.seconds:.1f} s",
                f"REST meanwhile: p99 {rest.p99_ms:.0f} ms, {errors}",
            )
        )
    return rows


def _jobs(size: Size) -> list[Row]:
    rows = _job_rows("Boond", size.job, job.boond(size.job))
    return rows + _job_rows("python-socketio + Redis", size.job, job.socket_io(size.job))


def _laggards(_size: Size) -> list[Row]:
    (cpu_us, per_s), (lagged_us, lagged_per_s), codes = floods.laggards(60, 10)
    return [
        (
            "10 of 60 stop reading: pushes/s to the others",
            f"{lagged_per_s / per_s:.2f} of before",
            f"CPU a push {cpu_us:.1f}, then {lagged_us:.1f} us; the ten ended with {codes}",
        )
    ]


def _replicas(size: Size) -> list[Row]:
    if not size.replicas_sockets:
        return []
    os.environ["BOOND_LIVE_REPLICAS"] = "2"
    try:
        found = floods.two_replicas(size.replicas_sockets)
    finally:
        del os.environ["BOOND_LIVE_REPLICAS"]
    return [
        (
            f"{size.replicas_sockets:,} sockets on two replicas' ports",
            " + ".join(f"{ready:,}" for ready, _, _ in found) + " ready",
            ", ".join(f"{kb:.1f} KiB a socket in {seconds:.1f} s" for _, kb, seconds in found),
        )
    ]


_PARTS: dict[str, Callable[[Size], list[Row]]] = {
    "floods": _flood_rows,
    "laggards": _laggards,
    "replicas": _replicas,
    "job": _jobs,
}


def measure(size: Size = REDUCED, only: Sequence[str] = ()) -> list[Row]:
    """Return the rows of the table."""
    servers.allow_sockets()
    return [row for name, part in _PARTS.items() if not only or name in only for row in part(size)]


def main() -> None:
    """Measure what was asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="7,000 sockets, 500 events/s, 3,000 resumes; 10,000 on two")
    parser.add_argument("--only", action="append", choices=list(_PARTS), default=[])
    parser.add_argument("--seconds", type=float, help="how long events are sent; ten minutes: 600")
    asked = parser.parse_args()
    size = FULL if asked.full else REDUCED
    if asked.seconds:
        given = size.job
        size = Size(
            sockets=size.sockets,
            pushes=size.pushes,
            job=Job(given.sockets, given.per_s, asked.seconds, given.storm),
            replicas_sockets=size.replicas_sockets,
        )
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; generator and phones share them",
        flush=True,
    )
    show(measure(size, asked.only))


if __name__ == "__main__":
    main()
