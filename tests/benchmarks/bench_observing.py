"""What observing costs: the same work with and without it, by turns in one run, so that the machine's moods are shared.

    python -m tests.benchmarks.bench_observing [--rounds 5]

Two paths: purchases through a shard on a Postgres of its own, and a gateway that hands turns to many sockets. Compared
is the CPU time of this process an event, which another process on the machine disturbs least; the elapsed time is shown
beside it. Off is an empty call where a count would be (`Limits.measure`), not code that is not there.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any, cast

import uvloop
from msgspec import Struct

from actors.collector import calm
from actors.limits import Limits as ShardLimits
from actors.messages import Envelope, Frame, Meta, Outcome, Pull, Pulled
from actors.migrate import upgrade
from actors.placement import claim_layout
from actors.postgres import PostgresJournal
from actors.reports import encode_series
from serve.live.gateway import Gateway
from serve.live.limits import Limits as SocketLimits
from serve.live.measures import LiveMeasures
from serve.live.outbound import Disconnected
from serve.live.ports import Ports
from serve.observe.exposition import exposition
from tests.benchmarks import in_process, references
from tests.support.live_socket import Person

TARGET = 0.05
USERS, SOCKETS_A_USER = 200, 5
_EVENTS = b'[{"type":"transaction_recorded","data":{"amount":19725,"currency":"INR","merchant":"Zomato"}}]'


class Cost(Struct, frozen=True):
    """Of one event, in µs."""

    cpu_us: float
    wall_us: float


class Compared(Struct, frozen=True):
    """Medians of all rounds, and the share of CPU that observing adds."""

    path: str
    off: Cost
    on: Cost

    @property
    def share(self) -> float:
        """What observing adds, as a share of the CPU time without it."""
        return self.on.cpu_us / self.off.cpu_us - 1


class Fountain:
    """A `Runtime` of one shard that has a new turn for every user as soon as it is asked, up to a number."""

    def __init__(self, turns: int) -> None:
        self.shards = 1
        self._turns, self._users = turns, list[str]()
        self.open = asyncio.Event()
        self._seq = 1

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
        if request.subscribe:
            self._users += request.subscribe
            return Pulled("fountain", 0, True, [], dict.fromkeys(request.subscribe, 1))
        await self.open.wait()
        if self._seq > self._turns:
            await asyncio.sleep(request.wait_s)
            return Pulled("fountain", 0, True)
        self._seq += 1
        await asyncio.sleep(0)
        return Pulled(
            "fountain",
            0,
            True,
            [Frame(user, self._seq, "2026-11-20T10:00:00.000000Z", _EVENTS) for user in self._users],
        )


class Sink:
    """A socket whose client authenticates, and reads everything at once."""

    def __init__(self, user: int, last: int, done: Callable[[], None]) -> None:
        self._hello = f'{{"t":"auth","token":"u{user}","resume":{{"epoch":"bench","seq":1}}}}'
        self._missing, self._done = last, done

    async def receive(self) -> str:
        """Authenticate, then say nothing."""
        if self._hello:
            hello, self._hello = self._hello, ""
            return hello
        await asyncio.Event().wait()
        raise Disconnected

    async def send(self, text: str) -> None:
        """Count a turn."""
        if text.startswith('{"t":"turn"'):
            self._missing -= 1
            if self._missing == 0:
                self._done()

    async def close(self, code: int, reason: str) -> None:
        """Take note of nothing."""
        del code, reason


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
    sockets = USERS * SOCKETS_A_USER
    gateway = Gateway(_ports(runtime, on=on), SocketLimits(queue_frames_max=10_000))
    left, all_done = sockets, asyncio.Event()

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            all_done.set()

    serving = [asyncio.create_task(gateway.serve(Sink(number % USERS, turns, done))) for number in range(sockets)]
    while gateway.users < USERS or gateway.sockets < sockets:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    wall, cpu = time.perf_counter(), time.process_time()
    runtime.open.set()
    await all_done.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    await gateway.close()
    pushes = sockets * turns
    return Cost(cpu / pushes * 1e6, wall / pushes * 1e6)


async def _compare(path: str, run: Callable[[bool], Awaitable[Cost]], rounds: int) -> Compared:
    """Run without and with, by turns; the first pair warms up and is not counted."""
    seen: dict[bool, list[Cost]] = {False: [], True: []}
    for number in range(rounds + 1):
        for on in (False, True):
            cost = await run(on)
            if number:
                seen[on].append(cost)
    off, on_ = (Cost(median(c.cpu_us for c in seen[on]), median(c.wall_us for c in seen[on])) for on in (False, True))
    return Compared(path, off, on_)


def purchases(rounds: int = 5, turns: int = 10_000) -> Compared:
    """Compare purchases through a shard on an embedded Postgres of its own."""
    with references.postgres() as url:
        upgrade(url)

        async def run(on: bool) -> Cost:
            await claim_layout(url, 1, "bench")
            measured = await in_process.measure(PostgresJournal(url), turns, ShardLimits(measure=on))
            return Cost(measured.cpu_us, 1e6 / measured.per_s)

        return uvloop.run(_compare("purchase through a shard on Postgres", run, rounds))


def pushes(rounds: int = 5, turns: int = 40) -> Compared:
    """Compare a gateway that hands turns of 200 users to five sockets each."""
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
    found = [
        (
            f"observing: {c.path}",
            f"{c.share:+.1%} CPU",
            f"{c.off.cpu_us:.1f} to {c.on.cpu_us:.1f} us CPU, {c.off.wall_us:.1f} to {c.on.wall_us:.1f} us elapsed; "
            f"target below {TARGET:.0%}",
        )
        for c in (purchases(rounds), pushes(rounds))
    ]
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
