"""The job: sockets held open, events for random users at a fixed rate, the time from an event's due moment to its push.

Every push is matched by its event's stamp, on one clock. A storm follows: many hang up at once and resume, while events
go on.
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from serve.auth.keys import load_or_create
from serve.auth.tokens import Issuer
from tests.acceptance.boond import running
from tests.benchmarks.sockets import servers, socketio_pair
from tests.benchmarks.sockets.crowd import Crowd
from tests.benchmarks.sockets.pace import Pace, Paced, Pacing, drive
from tests.benchmarks.sockets.servers import Server

SETTLE_S = 1.0
WARM_S = 3.0
WARM_SOCKETS = 100
STORM_EVENTS_PER_S = 100.0


class Job(Struct, frozen=True):
    """How much of it."""

    sockets: int
    per_s: float
    seconds: float
    storm: int = 0


class Storm(Struct, frozen=True):
    """So many resumed, in so long; what REST clients saw meanwhile."""

    resumed: int
    seconds: float
    rest: Paced


class Done(Struct, frozen=True):
    """How it went. `lost`: events whose push never came. Memory in KiB a socket, CPU as a share of one core."""

    open_s: float
    kb_a_socket: float
    events: Paced
    lost: int
    out_of_order: int
    repeated: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    gateway_cpu: float
    phones_cpu: float
    storm: Storm | None = None


@contextlib.contextmanager
def first_lines(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the name of a file of what each socket says first."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(lines))
        file.flush()
        yield file.name


def run(job: Job, held: Server, taking: Pace, firsts: str) -> Done:
    """Do the job on a running pair of servers; `taking` says where events go, and for whom."""
    with Crowd() as crowd:
        # What a process needs once for its first sockets is none of a socket's.
        crowd.ask("open", port=held.port, path=held.path, count=WARM_SOCKETS, firsts=firsts)
        crowd.ask("leave")
        time.sleep(SETTLE_S)
        before_kb = servers.resident_kb(held.pid)
        opened = crowd.ask("open", port=held.port, path=held.path, count=job.sockets, firsts=firsts)
        if not opened["done"]:
            raise RuntimeError(f"only {opened['ready']} of {job.sockets} sockets became ready: {opened['codes']}")
        drive(_pace(taking, job.per_s, WARM_S, 0))
        time.sleep(SETTLE_S)
        kb = (servers.resident_kb(held.pid) - before_kb) / job.sockets
        crowd.ask("clear")
        cpu_s, phones_s, began = servers.cpu_s(held.pid), crowd.ask("report")["cpu_s"], time.monotonic()
        events = drive(_pace(taking, job.per_s, job.seconds, 1))
        seen = crowd.ask("wait", timed=events.sent - events.errors, within_s=10.0)
        elapsed = time.monotonic() - began
        return Done(
            open_s=opened["seconds"],
            kb_a_socket=kb,
            events=events,
            lost=events.sent - events.errors - seen["timed"],
            out_of_order=seen["gaps"],
            repeated=seen["repeats"],
            p50_ms=seen["p50_ms"],
            p99_ms=seen["p99_ms"],
            max_ms=seen["max_ms"],
            gateway_cpu=(servers.cpu_s(held.pid) - cpu_s) / elapsed,
            phones_cpu=(seen["cpu_s"] - phones_s) / elapsed,
            storm=_storm(job, held, taking, firsts, crowd) if job.storm else None,
        )


def _pace(taking: Pace, per_s: float, seconds: float, seed: int) -> Pace:
    return Pace(taking.port, taking.path, taking.prefix, taking.users, per_s, seconds, taking.token, seed)


def _storm(job: Job, held: Server, taking: Pace, firsts: str, crowd: Crowd) -> Storm:
    crowd.ask("clear")
    probe = Pacing(_pace(taking, STORM_EVENTS_PER_S, 15.0, 2))
    time.sleep(SETTLE_S)
    seen = crowd.ask("storm", port=held.port, path=held.path, count=job.storm, firsts=firsts)
    return Storm(seen["ready"], seen["seconds"], probe.result())


def boond(job: Job) -> Done:
    """Do the job on a whole `boond up`, through its front door, journal and all."""
    with tempfile.TemporaryDirectory(prefix="bb-") as place, running(Path(place) / "data") as up:
        now, issuer = datetime.now(UTC), Issuer(load_or_create(up.data / "keys"))
        lines = [
            json.dumps({"t": "auth", "token": issuer.issue(f"s{n}", now=now, lifetime_s=86_400)}).encode()
            for n in range(job.sockets)
        ]
        [gateway] = up.processes("ray::ServeReplica:live")
        token = issuer.issue("bench", now=now, lifetime_s=86_400, role="service")
        taking = Pace(up.port, "/api/v1/transactions", "s", job.sockets, job.per_s, job.seconds, token)
        with first_lines(lines) as firsts:
            return run(job, Server(up.port, "/api/v1/live", gateway), taking, firsts)


def socket_io(job: Job) -> Done:
    """Do the job on python-socketio with Redis."""
    lines = [b'40{"user":"s%d"}' % n for n in range(job.sockets)]
    with socketio_pair.running() as (held, taking), first_lines(lines) as firsts:
        pace = Pace(taking.port, taking.path, "s", job.sockets, job.per_s, job.seconds)
        return run(Job(job.sockets, job.per_s, job.seconds), held, pace, firsts)
