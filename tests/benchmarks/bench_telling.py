"""What logs and traces cost: purchases through the REST application, a shard and Postgres, in this one process.

    python -m tests.benchmarks.bench_telling [--rounds 5] [--requests 400]

Every way of telling takes its turn in each round, so the machine's moods are shared. Compared is the CPU time of this
process a request, the threads that write lines and send spans included. The request comes in as ASGI, without a
server: what uvicorn would add is not in the denominator, so the shares are rather too large than too small. The
collector listens in a process of its own.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from actors.migrate import upgrade
from serve import traces
from serve.logs import process
from tests.support.collector import Collector
from tests.support.postgres import new_database, server_url
from tests.support.stack import Stack, stack

AT_ONCE = 16
TARGETS = {"info": 0.01, "traces 1 %": 0.05}


class Way(Struct, frozen=True):
    """How much is told."""

    name: str
    level: str = "warning"
    access: bool = False
    ratio: float | None = None


WAYS = (
    Way("silent"),
    Way("info", "info"),
    Way("access log", "info", access=True),
    Way("debug", "debug"),
    Way("traces 1 %", ratio=0.01),
    Way("traces 100 %", ratio=1.0),
)


@contextmanager
def telling(way: Way, folder: Path, running: Stack, collector: str) -> Iterator[None]:
    """Log, and trace, as a way says."""
    end = process.begin(folder, "bench", way.level, "json", access=way.access)
    recording = None
    if way.ratio is not None:
        config = msgspec.structs.replace(running.config, traces=collector, traces_ratio=way.ratio)
        recording = traces.begin(config, "bench")
    try:
        yield
    finally:
        if recording is not None:
            traces.end(recording)
        end()


async def _post(running: Stack, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    path = "/api/v1/transactions"
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    statuses = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await running(scope, receive, send)
    if statuses != [201]:
        raise RuntimeError(f"a purchase was answered {statuses}")


async def requests(running: Stack, count: int, new: Callable[[], str]) -> float:
    """Send purchases, some at once; return the CPU time of one in µs."""
    users = [[(k.lower().encode(), v.encode()) for k, v in running.bearer(f"u{n}").items()] for n in range(AT_ONCE)]

    async def one(user: int) -> None:
        for _ in range(count // AT_ONCE):
            body = {"external_id": new(), "source": "upi", "amount": 19_725, "currency": "INR", "merchant": "Zomato"}
            await _post(running, msgspec.json.encode(body), users[user])

    began = time.process_time()
    await asyncio.gather(*(one(user) for user in range(AT_ONCE)))
    return (time.process_time() - began) / (count // AT_ONCE * AT_ONCE) * 1e6


async def measured(running: Stack, folder: Path, collector: str, rounds: int, count: int) -> dict[str, float]:
    """Return the median CPU time of a request by way of telling, in µs."""
    ids = iter(range(10**9))
    taken: dict[str, list[float]] = {way.name: [] for way in WAYS}
    await requests(running, count, lambda: f"warm-{next(ids)}")
    for number in range(rounds):
        for way in WAYS if number % 2 else WAYS[::-1]:
            with telling(way, folder, running, collector):
                taken[way.name].append(await requests(running, count, lambda: f"t{next(ids)}"))
    return {name: median(each) for name, each in taken.items()}


@contextmanager
def collector_apart() -> Iterator[str]:
    """Give the address of a collector in a process of its own."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        with Collector() as collector:
            theirs.sendall(collector.url.encode())
            theirs.recv(1)
        os._exit(0)
    theirs.close()
    with ours:
        yield ours.recv(100).decode()
    os.waitpid(pid, 0)


async def _main(rounds: int, count: int, collector: str) -> None:
    with tempfile.TemporaryDirectory(prefix="boond-telling-") as folder, new_database(server_url()) as database:
        await asyncio.to_thread(upgrade, database)
        async with stack(database, Path(folder)) as running:
            found = await measured(running, Path(folder) / "logs", collector, rounds, count)
    silent = found["silent"]
    for name, each in found.items():
        target = f"  (target {TARGETS[name]:.0%})" if name in TARGETS else ""
        sys.stdout.write(f"{name:<14}{each:8.1f} µs a request {each / silent - 1:+7.1%}{target}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args()
    with collector_apart() as where:
        asyncio.run(_main(options.rounds, options.requests, where))
