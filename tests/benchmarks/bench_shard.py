"""Turns a second of one shard in this process, with the toy domain: in memory and on Postgres.

Run: python -m tests.benchmarks.bench_shard [postgres-url]; without a URL only the runtime's own cost is measured.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from itertools import count
from statistics import median

from msgspec import Struct
from typing_extensions import override

from actors.ids import Uuid7
from actors.journal import Journal, Question, Reading, TurnWrite
from actors.messages import Envelope
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from tests.support.counter import Counter, pay, utc_now
from tests.support.memory_journal import MemoryJournal

BATCH = 200


class Figures(Struct, frozen=True):
    """What was measured; latencies are of one command at a time, submit to outcome."""

    turns: int
    turns_per_s: float
    cpu_us_a_turn: float
    single_ms_p50: float
    single_ms_p99: float
    commits: int


class ForgetfulJournal(MemoryJournal):
    """Keeps nothing: what is left is the runtime's own cost."""

    @override
    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        await asyncio.sleep(0)

    @override
    async def read(self, question: Question) -> Reading:
        await asyncio.sleep(0)
        return Reading()


def _commands(turns: int, entities: int) -> list[list[Envelope]]:
    numbers = count()
    envelopes = [pay(f"main/user-{i % entities}", f"t{next(numbers)}") for i in range(turns)]
    return [envelopes[start : start + BATCH] for start in range(0, turns, BATCH)]


async def _flood(shard: EntityShard, calls: list[list[Envelope]], at_once: int) -> None:
    waiting = iter(calls)

    async def submit_in_turn() -> None:
        for call in waiting:
            outcomes = await shard.submit(call)
            refused = [outcome for outcome in outcomes if outcome.status != "done"]
            assert not refused, refused[0]

    await asyncio.gather(*(submit_in_turn() for _ in range(at_once)))


async def measure(journal: Journal, *, turns: int = 20_000, entities: int = 2_000, singles: int = 300) -> Figures:
    """Measure one shard: `turns` in batches of 200, two calls in flight, then `singles` one at a time."""
    shard = EntityShard(
        Counter(),
        journal,
        shard=0,
        shards=1,
        owner="bench",
        now=utc_now,
        new_id=Uuid7(lambda: time.time_ns() // 1_000_000, lambda bits: 1 << (bits - 1)),
        on_fenced=lambda: None,
    )
    await shard.start()
    try:
        await _flood(shard, _commands(entities, entities), 2)
        calls = _commands(turns, entities)
        calls = [[Envelope(e.entity_id, f"b:{e.command_id}", e.body, e.meta, e.opening) for e in c] for c in calls]
        wall, cpu = time.perf_counter(), time.process_time()
        await _flood(shard, calls, 2)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        latencies = []
        for i in range(singles):
            began = time.perf_counter()
            await shard.submit([pay(f"main/user-{i}", f"single-{i}")])
            latencies.append((time.perf_counter() - began) * 1e3)
        latencies.sort()
        return Figures(
            turns=turns,
            turns_per_s=turns / wall,
            cpu_us_a_turn=cpu / turns * 1e6,
            single_ms_p50=median(latencies),
            single_ms_p99=latencies[int(len(latencies) * 0.99)],
            commits=shard.stats().commits,
        )
    finally:
        await shard.stop()


def domain_us(turns: int = 20_000) -> float:
    """Return the µs of the toy domain's own work a turn: decode, decide, encode, evolve, rows, answer."""
    from msgspec import msgpack

    from engine.behaviour import Context, Facts, Turn

    behaviour = Counter()
    state = behaviour.initial("u")
    raws = [bytes(pay("u", f"t{i}").body) for i in range(turns)]
    began = time.process_time()
    for seq, raw in enumerate(raws):
        at = utc_now()
        command = behaviour.decode_command(raw)
        behaviour.needs(command)
        context = Context(at, seq, str, behaviour.predict(command))
        decision = behaviour.decide(state, command, Facts(), context)
        turn = Turn("u", seq, at, decision.events, decision.result)
        behaviour.encode_turn(decision.events, decision.result)
        behaviour.rows(turn)
        behaviour.answer(turn)
        for event in decision.events:
            behaviour.evolve(state, event)
    spent = time.process_time() - began
    assert msgpack.encode(state)
    return spent / turns * 1e6


def main() -> None:
    """Print the figures."""
    print(f"toy domain alone: {domain_us():.1f} µs a turn")
    print("in memory:", asyncio.run(measure(ForgetfulJournal())))
    if len(sys.argv) > 1:

        async def on_postgres() -> Figures:
            return await measure(PostgresJournal(sys.argv[1]))

        print("postgres: ", asyncio.run(on_postgres()))


if __name__ == "__main__":
    main()
