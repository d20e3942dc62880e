"""What observing costs: the same work with and without it, by turns in one run, so that the machine's moods are shared.

    python -m tests.benchmarks.bench_observing [--rounds 5]

Two paths: purchases through a shard on a Postgres of its own, and a gateway on uvicorn that pushes turns over 500
sockets, which a process of their own reads. Compared is the CPU time of this process an event, which another process on
the machine disturbs least. Shown is the median of the pairs of runs, and how far they are apart: that distance is the
noise. Off is an empty call where a count would be (`Limits.measure`), not code that is not there.
"""

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any, cast

import uvicorn
import uvloop
from msgspec import Struct

from actors.collector import calm
from actors.limits import Limits as ShardLimits
from actors.messages import Envelope, Frame, Meta, Outcome, Pull, Pulled
from actors.migrate import upgrade
from actors.placement import claim_layout
from actors.postgres import PostgresJournal
from actors.reports import encode_series
from serve.live.app import build_app
from serve.live.frugal import FrugalSocket
from serve.live.limits import Limits as SocketLimits
from serve.live.measures import LiveMeasures
from serve.live.ports import Ports
from serve.observe.exposition import exposition
from tests.benchmarks import in_process, references
from tests.support.live_socket import Person

TARGET = 0.05
USERS, SOCKETS_A_USER = 100, 5
_EVENTS = b'[{"type":"transaction_recorded","data":{"amount":19725,"currency":"INR","merchant":"Zomato"}}]'


class Cost(Struct, frozen=True):
    """Of one event, in µs of CPU."""

    cpu_us: float


class Compared(Struct, frozen=True):
    """Every pair of runs, without and with, one right after the other."""

    path: str
    pairs: list[tuple[Cost, Cost]]

    @property
    def shares(self) -> list[float]:
        """What observing adds in each pair, as a share of the CPU time without it, the least first."""
        return sorted(on.cpu_us / off.cpu_us - 1 for off, on in self.pairs)

    def row(self) -> tuple[str, str, str]:
        """Return a row of the table: the median of the pairs, and how far they are apart."""
        shares = self.shares
        off, on = (median(pair[which].cpu_us for pair in self.pairs) for which in (0, 1))
        note = f"pairs from {shares[0]:+.1%} to {shares[-1]:+.1%}; {off:.1f} to {on:.1f} us; target below {TARGET:.0%}"
        return f"observing: {self.path}", f"{median(shares):+.1%} CPU", note


class Fountain:
    """A `Runtime` of one shard that has a new turn for every user as soon as it is asked, up to a number."""

    def __init__(self, turns: int) -> None:
        self.shards = 1
        self._turns, self._users = turns, list[str]()
        self.open = asyncio.Event()
        self._seq, self._pulls = 1, 0

    def shard_of(self, entity_id: str) -> int:
        """See `Runtime.shard_of`."""
        del entity_id
        return 0

    async def submit(self, envelope: Envelope) -> Outcome:
        """Answer every query with the same overview."""
        del envelope
        return Outcome("read", 1, b'{"seq":1,"jars":[]}')

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """See `Runtime.submit_many`."""
        return [await self.submit(envelope) for envelope in envelopes]

    async def head(self, entity_id: str) -> int:
        """See `Runtime.head`."""
        del entity_id
        return 1

    async def history(self, entity_id: str, after: int, limit: int) -> list[Frame]:
        """Say that there is none: everybody is at the head."""
        del entity_id, after, limit
        return []

    async def pull(self, shard: int, request: Pull) -> Pulled:
        """Give every user a turn, once the gate is open."""
        del shard
        self._pulls += 1
        mine = self._pulls
        if request.subscribe:
            self._users += request.subscribe
            return Pulled("fountain", 0, True, [], dict.fromkeys(request.subscribe, 1))
        await self.open.wait()
        await asyncio.sleep(0)
        if self._seq > self._turns:
            await asyncio.sleep(request.wait_s)
        if mine != self._pulls or self._seq > self._turns:
            return Pulled("fountain", 0, True)
        self._seq += 1
        return Pulled(
            "fountain",
            0,
            True,
            [Frame(user, self._seq, "2026-11-20T10:00:00.000000Z", _EVENTS) for user in self._users],
        )


def _ports(runtime: Fountain, *, on: bool) -> Ports:
    def refused(_: Any) -> dict[str, Any]:
        raise NotImplementedError("nothing is refused here")

    return Ports(
        runtime=cast("Any", runtime),
        verify=lambda token: Person(token, time.time() + 3_600),
        overview=lambda principal: Envelope(principal.entity_id, None, b"", Meta("bench")),
        expense=cast("Any", refused),
        problem=refused,
        epoch="bench",
        measures=LiveMeasures(on=on),
    )


async def _fan_out(turns: int, *, on: bool) -> Cost:
    runtime = Fountain(turns)
    limits = SocketLimits(queue_frames_max=10_000, queue_chars_max=64 * 1024 * 1024)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        build_app(_ports(runtime, on=on), limits),
        log_level="warning",
        lifespan="off",
        ws=FrugalSocket,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    asked = [str(number) for number in (listener.getsockname()[1], USERS, SOCKETS_A_USER, turns)]
    drain = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.draining", *asked, stdout=asyncio.subprocess.PIPE
    )
    try:
        await _says(drain, b"open")
        cpu = time.process_time()
        runtime.open.set()
        await _says(drain, b"done")
        cpu = time.process_time() - cpu
        await drain.wait()
    finally:
        if drain.returncode is None:
            drain.kill()
        server.should_exit = True
        await serving
    pushes = USERS * SOCKETS_A_USER * turns
    return Cost(cpu / pushes * 1e6)


async def _says(process: asyncio.subprocess.Process, word: bytes) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        said = await process.stdout.readline()
    assert said.strip() == word, f"expected {word!r}, the sockets said {said!r}"


async def _compare(path: str, run: Callable[[bool], Awaitable[Cost]], rounds: int) -> Compared:
    """Run without and with, by turns; the first pair warms up and is not counted."""
    pairs = [(await run(False), await run(True)) for _ in range(rounds + 1)]
    return Compared(path, pairs[1:])


def purchases(rounds: int = 5, turns: int = 10_000) -> Compared:
    """Compare purchases through a shard on an embedded Postgres of its own."""
    with references.postgres() as url:
        upgrade(url)

        async def run(on: bool) -> Cost:
            await claim_layout(url, 1, "bench")
            measured = await in_process.measure(PostgresJournal(url), turns, ShardLimits(measure=on))
            return Cost(measured.cpu_us)

        return uvloop.run(_compare("purchase through a shard on Postgres", run, rounds))


def pushes(rounds: int = 5, turns: int = 40) -> Compared:
    """Compare a gateway that pushes turns of 100 users over five real sockets each, read by another process."""
    return uvloop.run(_compare("turn to a socket of a gateway", lambda on: _fan_out(turns, on=on), rounds))


def scrape_ms() -> tuple[float, float]:
    """Return how long a report and the text of a scrape take, in ms of CPU, with 500 label combinations counted."""
    from serve.api.measures import ApiMeasures

    api = ApiMeasures()
    for number in range(100):
        for status in (200, 404, 409, 422, 503):
            api.answered("GET", f"/route-{number}", status, 0.01)
    began = time.process_time()
    for _ in range(20):
        encode_series(api.series())
    reported = time.process_time()
    for _ in range(20):
        exposition({f"api-{replica}": api.series() for replica in range(2)})
    return (reported - began) / 20 * 1e3, (time.process_time() - reported) / 20 * 1e3


def rows(rounds: int = 5) -> list[tuple[str, str, str]]:
    """Return the rows of the table of `make bench`."""
    found = [compared.row() for compared in (purchases(rounds), pushes(rounds))]
    report, text = scrape_ms()
    return [*found, ("observing: a report / a scrape of two replicas", f"{report:.1f} / {text:.1f} ms CPU", "")]


def main() -> None:
    """Print what observing costs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    calm()
    for row in rows(parser.parse_args().rounds):
        print("  ".join(row))


if __name__ == "__main__":
    main()
