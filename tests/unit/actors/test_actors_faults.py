"""A seeded storm over a shard's users: faults, take-overs, passivation. What was acknowledged is there once, in order.

Calls are made as the client's lane makes them: what is unavailable is tried again, with the same ids, in order, at
whichever incarnation answers, stale ones included. A failure prints its seed.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random

import pytest
from msgspec import json
from typing_extensions import override

from actors import chain, codec
from actors.journal import Conflict, JournalDown, Question, Reading, TurnWrite
from actors.limits import Limits
from actors.messages import Envelope, Outcome
from actors.shard import EntityShard
from tests.support.counter import Counter, balance, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard

POISON = 13
ENTITIES = ("a", "b", "c", "d", "e", "f")
LIMITS = Limits(
    iteration_max=8,
    batch_max=4,
    recoveries_max=2,
    snapshot_every=3,
    entities_max=3,
    idle_s=5.0,
    lease_s=0.0,
    back_off_s_min=0.0,
    back_off_s_max=0.0,
)


class StormyJournal(MemoryJournal):
    """Loses connections before and after commits, and takes its time."""

    def __init__(self, store: MemoryStore, random: Random) -> None:
        super().__init__(store)
        self._random = random
        self.rejects = lambda write: any(row.amount == POISON for row in write.rows.transactions)

    async def _idle(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)

    @override
    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        await self._idle()
        fate = self._random.random()
        if fate < 0.05:
            raise JournalDown("before the commit")
        if fate < 0.08:
            raise Conflict("for no reason")
        await super().commit(shard, term, turns)
        await self._idle()
        if fate < 0.15:
            raise JournalDown("after the commit")

    @override
    async def read(self, question: Question) -> Reading:
        await self._idle()
        if self._random.random() < 0.05:
            raise JournalDown("while reading")
        reading = await super().read(question)
        await self._idle()
        return reading

    @override
    async def confirm(self, shard: int, term: int) -> None:
        if self._random.random() < 0.05:
            raise JournalDown("while confirming")
        await super().confirm(shard, term)
        await self._idle()

    @override
    async def resume(self, shard: int, term: int) -> None:
        if self._random.random() < 0.3:
            raise JournalDown("still")
        await super().resume(shard, term)


class Storm:
    """Incarnations of a shard on one store, and clients that hold them to their word."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.shards: list[EntityShard] = []
        self.acknowledged: dict[str, dict[str, int]] = {entity_id: {} for entity_id in ENTITIES}
        """By entity, command id and the seq it was answered with."""
        self.poisoned: set[tuple[str, str]] = set()
        self.sent: dict[str, list[str]] = {}

    async def take_over(self, stack: AsyncExitStack) -> None:
        journal = StormyJournal(self.store, self.random)
        shard = await stack.enter_async_context(running_shard(journal, clock=self.clock, limits=LIMITS))
        self.shards = [*self.shards[-1:], shard]

    async def client(self, name: str, calls: int) -> None:
        sent = self.sent[name] = []
        for _ in range(calls):
            envelopes = []
            for _ in range(self.random.randrange(1, 4)):
                entity_id = self.random.choice(ENTITIES)
                identity = f"{name}-{len(sent):03}"
                sent.append(f"tx:{identity}")
                amount = POISON if self.random.random() < 0.05 else 1
                envelopes.append(pay(entity_id, identity, amount))
            impatient = [self.carry_out(envelopes)] if self.random.random() < 0.2 else []
            await asyncio.gather(self.carry_out(envelopes), *impatient)
            await self.look(self.random.choice(ENTITIES))

    async def carry_out(self, envelopes: list[Envelope]) -> None:
        while envelopes:
            outcomes = await self.random.choice(self.shards).submit(envelopes)
            again = []
            for envelope, outcome in zip(envelopes, outcomes, strict=True):
                if outcome.status == "unavailable":
                    again.append(envelope)
                else:
                    self.acknowledge(envelope, outcome)
            envelopes = again
            await asyncio.sleep(0)

    def acknowledge(self, envelope: Envelope, outcome: Outcome) -> None:
        assert envelope.command_id is not None
        if outcome.status == "refused":
            assert outcome.problem is not None
            assert outcome.problem.code == "poison"
            self.poisoned.add((envelope.entity_id, envelope.command_id))
        else:
            row = self.store.commands[envelope.entity_id, envelope.command_id]
            assert row.seq == outcome.seq, "acknowledged before it was committed, or as another turn"
            self.acknowledged[envelope.entity_id][envelope.command_id] = outcome.seq

    async def look(self, entity_id: str) -> None:
        """Read: at least what was acknowledged before, at most what is committed by now."""
        known = len(self.acknowledged[entity_id])
        [outcome] = await self.random.choice(self.shards).submit([balance(entity_id)])
        if outcome.status == "read":
            assert outcome.body is not None
            shown = json.decode(outcome.body)["balance"]
            committed = sum(row.command_id != "open" for row in self.store.rows.get(entity_id, ()))
            assert known <= shown <= committed, "a read of the past, or of what is not committed"

    async def weather(self, stack: AsyncExitStack) -> None:
        """Go on until cancelled; no real time passes, so a seed always does the same."""
        while True:
            for _ in range(self.random.randrange(30)):
                await asyncio.sleep(0)
            self.clock.advance(self.random.choice((0, 1, 10, -3)))
            self.random.choice(self.shards).sweep()
            if self.random.random() < 0.05:
                await self.take_over(stack)

    def check(self) -> None:
        for entity_id, rows in self.store.rows.items():
            chain.verify(entity_id, rows)
            tally = Tally(row.command_id for row in rows)
            assert set(tally.values()) == {1}
            assert set(self.acknowledged[entity_id]) == set(tally) - {"open"}
            for ids in self.sent.values():
                mine = [row.command_id for row in rows if row.command_id in set(ids)]
                assert mine == sorted(mine), "a client's commands were reordered"
        assert not any(key in self.store.commands for key in self.poisoned)
        self.check_snapshots()

    def check_snapshots(self) -> None:
        behaviour = Counter()
        for entity_id, snapshot in self.store.snapshots.items():
            state = behaviour.initial(entity_id)
            rows = self.store.rows[entity_id][: snapshot.seq]
            for row in rows:
                for event in behaviour.decode_turn(codec.unpack(row.body))[0]:
                    behaviour.evolve(state, event)
            assert snapshot.chain == rows[-1].chain
            assert behaviour.decode_state(codec.unpack(snapshot.body).tobytes()) == state


@pytest.mark.parametrize("seed", range(12))
async def test_what_was_acknowledged_is_there_once_in_order_whatever_fails(seed: int) -> None:
    storm = Storm(seed)
    async with AsyncExitStack() as stack, asyncio.timeout(60):
        await storm.take_over(stack)
        weather = asyncio.create_task(storm.weather(stack))
        async with asyncio.TaskGroup() as group:
            for i in range(4):
                group.create_task(storm.client(f"c{i}", 25))
        weather.cancel()
    storm.check()
