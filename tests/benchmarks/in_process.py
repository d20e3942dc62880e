"""One shard in this process with the real domain, no Ray and no HTTP: what a turn costs, with and without Postgres."""

import asyncio
import secrets
import time
from collections.abc import Iterator

import uvloop
from msgspec import Struct, msgpack

from actors.clock import utc_now
from actors.collector import calm
from actors.ids import Entropy, Uuid7
from actors.journal import Journal
from actors.limits import Limits
from actors.messages import Envelope
from actors.migrate import upgrade
from actors.placement import claim_layout
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from serve import envelopes
from serve.auth.principal import Principal
from serve.composition import BEHAVIOUR
from tests.benchmarks import references
from tests.benchmarks.bench_shard import ForgetfulJournal

BATCH, USERS = 200, 5_000
_SERVICE = Principal(user_id="bench", tenant="main", role="service", session="", expires_at=0)
_CALL = msgpack.Decoder(list[Envelope])


class Turns(Struct, frozen=True):
    """How fast a shard is: turns a second, and µs of this process' CPU a turn."""

    per_s: float
    cpu_us: float


def _calls(turns: int) -> list[bytes]:
    """Return calls of 200 purchases as they come off the wire."""
    base = secrets.token_hex(4)
    purchases = [
        envelopes.transaction(
            _SERVICE,
            envelopes.TransactionRequest(
                external_id=f"{base}-{number}",
                source="upi",
                amount=19_725,
                currency="INR",
                merchant="Zomato",
                description="UPI/DR/123/zomato food order",
            ),
            f"u{number * 7 % USERS}",
            "bench",
        )
        for number in range(turns)
    ]
    return [msgpack.encode(purchases[start : start + BATCH]) for start in range(0, turns, BATCH)]


async def _submit_each(shard: EntityShard, calls: Iterator[bytes]) -> None:
    for call in calls:
        outcomes = await shard.submit(_CALL.decode(call))
        refused = [outcome for outcome in outcomes if outcome.status != "done"]
        assert not refused, refused[0]
        msgpack.encode(outcomes)


async def measure(journal: Journal, turns: int, limits: Limits | None = None) -> Turns:
    """Measure a shard on this journal: `turns` purchases of 5,000 users that are in memory, two calls in flight."""
    shard = EntityShard(
        BEHAVIOUR,
        journal,
        shard=0,
        shards=1,
        owner=f"bench-{secrets.token_hex(8)}",
        now=utc_now,
        new_id=Uuid7(lambda: time.time_ns() // 1_000_000, Entropy()),
        on_fenced=lambda: None,
        limits=limits,
    )
    await shard.start()
    try:
        await _submit_each(shard, iter(_calls(USERS)))
        calls = iter(_calls(turns))
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(_submit_each(shard, calls), _submit_each(shard, calls))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Turns(turns / wall, cpu / turns * 1e6)
    finally:
        await shard.stop()


def without_postgres(turns: int = 20_000) -> Turns:
    """Measure a shard whose journal keeps nothing: the runtime and the domain alone."""
    calm()
    return uvloop.run(measure(ForgetfulJournal(), turns))


def with_postgres(turns: int = 20_000) -> Turns:
    """Measure a shard on an embedded Postgres of its own, durable as in production."""
    calm()
    with references.postgres() as url:
        upgrade(url)

        async def on_postgres() -> Turns:
            await claim_layout(url, 1, "bench")
            return await measure(PostgresJournal(url), turns)

        return uvloop.run(on_postgres())
