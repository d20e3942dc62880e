"""The outbox: delivered after the commit, in order, again until it succeeds, and one entity never stops another."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from typing_extensions import override

from actors.journal import Journal, SentMessage
from actors.limits import Limits
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from engine.behaviour import OutboxMessage
from tests.support.counter import Sent, Write, command
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard

OpenJournal = Callable[[], Journal]
QUICK = Limits(outbox_poll_s=0.01)


class Postman:
    """A handler that keeps what it delivers; fails for those it is told to, waits while its gate is shut."""

    def __init__(self) -> None:
        self.delivered: defaultdict[str, list[str]] = defaultdict(list)
        self.failing: set[str] = set()
        self.tried: defaultdict[str, int] = defaultdict(int)
        self.shut: set[str] = set()
        self.gate = asyncio.Event()

    async def __call__(self, message: OutboxMessage) -> None:
        self.tried[message.entity_id] += 1
        if message.entity_id in self.shut:
            await self.gate.wait()
        if message.entity_id in self.failing:
            raise OSError("nobody at home")
        self.delivered[message.entity_id].append(message.body.decode())


@pytest.fixture(params=["memory", "postgres"])
def open_journal(request: pytest.FixtureRequest) -> OpenJournal:
    """A way to open journals on one store, as several incarnations do."""
    store = MemoryStore()
    url = request.getfixturevalue("database_url") if request.param == "postgres" else ""
    return lambda: PostgresJournal(url) if url else MemoryJournal(store)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def send(shard: EntityShard, user: str, *bodies: str, channel: str = "log") -> None:
    """Carry out a turn that sends."""
    write = Write([Sent(channel, body.encode()) for body in bodies])
    [outcome] = await shard.submit([command(user, f"send-{'-'.join(bodies)}-{channel}", write)])
    assert outcome.status == "done", outcome


async def left(journal: Journal) -> int:
    """Return how many messages are not delivered."""
    return sum(map(len, await journal.waiting_messages(0, 1, "log", FakeClock().at.replace(year=9999), 999, 999)))


async def test_what_a_turn_sends_is_delivered_after_its_commit_in_order_and_deleted(open_journal: OpenJournal) -> None:
    postman, journal = Postman(), open_journal()
    async with running_shard(journal, handlers={"log": postman}, limits=Limits(outbox_poll_s=1_000)) as shard:
        await send(shard, "u", "1", "2", "3")
        await send(shard, "u", "4")
        await until(lambda: shard.stats().messages_delivered == 4)
        assert postman.delivered == {"u": ["1", "2", "3", "4"]}
        assert await left(journal) == 0


class Stumbling(MemoryJournal):
    """Raises, `left` times, what no journal says it raises: when messages are read, or when they are deleted."""

    def __init__(self, stumbles_at: str) -> None:
        super().__init__()
        self.stumbles_at, self.left = stumbles_at, 2

    def _stumble(self, at: str) -> None:
        if self.stumbles_at == at and self.left:
            self.left -= 1
            raise RuntimeError("nobody foresaw this")

    @override
    async def waiting_messages(self, *arguments: Any) -> list[list[SentMessage]]:
        self._stumble("reading")
        return await super().waiting_messages(*arguments)

    @override
    async def drop_messages(self, *arguments: Any) -> None:
        self._stumble("deleting")
        await super().drop_messages(*arguments)


@pytest.mark.parametrize("stumbles_at", ["reading", "deleting"])
async def test_what_nobody_foresaw_does_not_end_the_delivery(
    stumbles_at: str, caplog: pytest.LogCaptureFixture
) -> None:
    postman, other, journal = Postman(), Postman(), Stumbling(stumbles_at)
    async with running_shard(journal, handlers={"log": postman, "other": other}, limits=QUICK) as shard:
        await send(shard, "u", "1")
        await send(shard, "u", "2", channel="other")
        await until(lambda: journal.left == 0 and shard.stats().messages_delivered == 2)
        assert [record.name for record in caplog.records if record.exc_info] == ["actors.outbox"] * 2
        assert set(postman.delivered["u"]) == {"1"}
        assert set(other.delivered["u"]) == {"2"}
        assert await left(journal) == 0


async def test_nothing_is_delivered_that_is_not_committed() -> None:
    postman, journal = Postman(), MemoryJournal()
    async with running_shard(journal, handlers={"log": postman}, limits=QUICK) as shard:
        journal.gate.clear()
        sending = asyncio.create_task(send(shard, "u", "1"))
        await until(lambda: shard.stats().active == 1)
        await asyncio.sleep(0.05)
        assert postman.delivered == {}
        journal.gate.set()
        await sending
        await until(lambda: postman.delivered == {"u": ["1"]})


async def test_a_failing_entity_is_tried_again_in_order_and_stops_nobody(open_journal: OpenJournal) -> None:
    postman, clock, journal = Postman(), FakeClock(), open_journal()
    postman.failing = {"u"}
    async with running_shard(journal, handlers={"log": postman}, clock=clock, limits=QUICK) as shard:
        await send(shard, "u", "1", "2")
        await send(shard, "v", "1")
        await until(lambda: postman.tried["u"] == 1 and postman.delivered == {"v": ["1"]})
        await send(shard, "u", "3")
        await send(shard, "v", "2")
        await until(lambda: postman.delivered == {"v": ["1", "2"]})
        assert postman.tried["u"] == 1
        for tries in (2, 3, 4):
            clock.advance(600)
            await until(lambda tries=tries: postman.tried["u"] == tries)  # type: ignore[misc]
        postman.failing.clear()
        await until(lambda: shard.stats().messages_failed == 4)
        clock.advance(600)
        await until(lambda: postman.delivered["u"] == ["1", "2", "3"])


async def test_a_slow_entity_stops_nobody() -> None:
    postman, journal = Postman(), MemoryJournal()
    postman.shut = {"u"}
    async with running_shard(journal, handlers={"log": postman}, limits=QUICK) as shard:
        await send(shard, "u", "1")
        await until(lambda: postman.tried["u"] == 1)
        await send(shard, "u", "2")
        await send(shard, "v", "1", "2")
        await until(lambda: postman.delivered == {"v": ["1", "2"]})
        assert postman.tried["u"] == 1
        postman.gate.set()
        await until(lambda: postman.delivered["u"] == ["1", "2"])


async def test_a_delivery_that_takes_too_long_has_failed() -> None:
    postman = Postman()
    postman.shut = {"u"}
    limits = Limits(outbox_delivery_s_max=0.01)
    async with running_shard(MemoryJournal(), handlers={"log": postman}, limits=limits) as shard:
        await send(shard, "u", "1")
        await until(lambda: shard.stats().messages_failed == 1)


async def test_as_many_entities_as_there_are_lanes_are_served_at_once() -> None:
    postman = Postman()
    users = [f"u{i}" for i in range(7)]
    postman.shut = set(users)
    limits = Limits(outbox_lanes_max=3, outbox_poll_s=0.01)
    async with running_shard(MemoryJournal(), handlers={"log": postman}, limits=limits) as shard:
        for user in users:
            await send(shard, user, "1")
        await until(lambda: len(postman.tried) == 3)
        await asyncio.sleep(0.05)
        assert sorted(postman.tried.values()) == [1, 1, 1]
        postman.gate.set()
        await until(lambda: shard.stats().messages_delivered == 7)


async def test_more_than_one_reading_of_an_entity_keeps_its_order(open_journal: OpenJournal) -> None:
    postman = Postman()
    limits = Limits(outbox_lane_max=2)
    async with running_shard(open_journal(), handlers={"log": postman}, limits=limits) as shard:
        await send(shard, "u", *(str(i) for i in range(9)))
        await until(lambda: shard.stats().messages_delivered == 9)
    assert postman.delivered == {"u": [str(i) for i in range(9)]}


async def test_what_a_dead_shard_left_is_delivered_by_the_next(open_journal: OpenJournal) -> None:
    postman = Postman()
    async with running_shard(open_journal()) as shard:
        await send(shard, "u", "1")
        await send(shard, "v", "1")
    journal = open_journal()
    async with running_shard(journal, handlers={"log": postman}) as shard:
        await until(lambda: shard.stats().messages_delivered == 2)
        assert await left(journal) == 0


async def test_a_shard_killed_between_delivery_and_deletion_delivers_twice_and_loses_nothing() -> None:
    store, postman = MemoryStore(), Postman()
    postman.shut = {"u"}
    async with running_shard(MemoryJournal(store), handlers={"log": postman}) as shard:
        await send(shard, "u", "1", "2")
        await until(lambda: postman.tried["u"] == 1)
    postman.shut.clear()
    async with running_shard(MemoryJournal(store), handlers={"log": postman}) as shard:
        await until(lambda: shard.stats().messages_delivered == 2)
    assert postman.delivered == {"u": ["1", "2"]}
    assert postman.tried["u"] == 3


async def test_a_channel_nobody_delivers_waits() -> None:
    postman, journal = Postman(), MemoryJournal()
    async with running_shard(journal, handlers={"log": postman}) as shard:
        await send(shard, "u", "1", channel="unknown")
        await send(shard, "u", "2")
        await until(lambda: postman.delivered == {"u": ["2"]})
    assert [message.channel for _, message in journal.store.waiting] == ["unknown"]
