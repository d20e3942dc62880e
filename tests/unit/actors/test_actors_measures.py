"""What a shard and the way to it count."""

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from actors.client import Sender
from actors.journal import Conflict, JournalDown
from actors.lane import LaneLimits
from actors.limits import Limits
from actors.meters import Measures, Series
from actors.outbox import Handler
from actors.runtime import Unavailable
from actors.shard import EntityShard
from actors.transport import TransportLost
from engine.behaviour import OutboxMessage
from tests.support.counter import Sent, Write, balance, command, pay
from tests.support.memory_journal import MemoryJournal
from tests.support.rest import LocalTransport
from tests.support.shards import FakeClock, running_shard


def shown(source: EntityShard | Sender, name: str) -> dict[tuple[str, ...], Any]:
    found: list[Series] = [series for series in source.series() if series.family == name]
    return {series.labels: series.values for series in found}


def observations(measures: Measures, name: str) -> int:
    """Return how many observations a histogram holds."""
    return sum(int(sum(s.values[:-1])) for s in measures.series() if s.family == name)


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_call_is_counted_by_its_outcomes_and_its_turns_by_what_they_were() -> None:
    async with running_shard(MemoryJournal()) as shard:
        await shard.submit([pay("u", "1"), pay("u", "2"), pay("u", "1"), balance("u")])
        await shard.submit([pay("u", "3", amount=-1)])
        assert shown(shard, "boond_shard_outcomes_total") == {
            ("done",): (2,),
            ("replayed",): (1,),
            ("read",): (1,),
            ("refused",): (1,),
        }
        assert list(shown(shard, "boond_shard_refusals_total").values()) == [(1,)]
        assert shard.measures.turn_seconds.count("command") == 4
        assert shard.measures.turn_seconds.count("query") == 1
        assert shard.measures.call_seconds.count() == 2
        assert shard.measures.queue_wait.count() == 2
        assert shown(shard, "boond_shard_turns_total") == {(): (shard.stats().turns,)}


async def test_a_commit_is_counted_with_its_turns_and_bytes() -> None:
    async with running_shard(MemoryJournal()) as shard:
        await shard.submit([pay("u", "1"), pay("v", "1")])
        turns = shown(shard, "boond_shard_commit_turns")[()]
        assert turns[-1] == shard.stats().turns
        assert shown(shard, "boond_shard_commit_bytes")[()][-1] > 0
        assert shard.measures.commit_seconds.count() == shard.stats().commits


async def test_a_commit_that_fails_is_counted_by_its_error_and_the_memory_it_costs() -> None:
    class Failing(MemoryJournal):
        error: Exception | None = None

        @override
        async def commit(self, *arguments: Any) -> None:
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            await super().commit(*arguments)

    journal = Failing()
    async with running_shard(journal) as shard:
        journal.error = Conflict("taken")
        await shard.submit([pay("u", "1")])
        journal.error = JournalDown("gone")
        await shard.submit([pay("u", "2")])
        await until(lambda: shard.stats().state == "working")
        assert shown(shard, "boond_shard_commit_failures_total") == {("Conflict",): (1,), ("JournalDown",): (1,)}
        assert shown(shard, "boond_shard_memory_drops_total") == {(): (2,)}
        assert shown(shard, "boond_shard_reconnects_total") == {(): (1,)}


async def test_activations_and_passivations_are_counted() -> None:
    clock, journal = FakeClock(), MemoryJournal()
    async with running_shard(journal, clock=clock, limits=Limits(entities_max=2)) as shard:
        for user in ("u", "v", "w"):
            await shard.submit([pay(user, "1")])
        await shard.submit([balance("w")])
        assert shard.measures.passivations.value("room") == 1
        clock.advance(1_000)
        assert shard.sweep() == 2
        await shard.submit([balance("u")])
        assert shard.measures.passivations.value("idle") == 2
        assert shard.measures.activations.value() == 4
        assert shown(shard, "boond_shard_residents") == {(): (1,)}
        await until(lambda: shard.measures.snapshots.value("written") == 3)


async def test_a_user_whose_snapshot_is_behind_replays_its_later_turns() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await shard.submit([pay("u", str(number)) for number in range(5)])
    turns = shard.stats().turns
    async with running_shard(journal) as successor:
        await successor.submit([balance("u")])
        assert successor.measures.replayed_turns.value() == turns
        assert shown(successor, "boond_shard_term") == {(): (2,)}


async def test_a_shard_that_is_full_counts_the_calls_it_refuses() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(queue_commands_max=1)) as shard:
        await shard.submit([pay("u", "1"), pay("u", "2")])
        assert shown(shard, "boond_shard_overloads_total") == {(): (1,)}


async def test_messages_are_counted_by_channel_and_those_under_way_are_shown() -> None:
    gate = asyncio.Event()

    async def slow(_: OutboxMessage) -> None:
        await gate.wait()

    async def failing(_: OutboxMessage) -> None:
        raise OSError("nobody at home")

    handlers: dict[str, Handler] = {"log": slow, "post": failing}
    async with running_shard(MemoryJournal(), handlers=handlers) as shard:
        await shard.submit([command("u", "1", Write([Sent("log", b"a"), Sent("log", b"b"), Sent("post", b"c")]))])
        await until(lambda: shard.stats().messages_failed == 1)
        assert shown(shard, "boond_outbox_waiting_messages")["log",] == (2,)
        gate.set()
        await until(lambda: shard.stats().messages_delivered == 2)
        assert shown(shard, "boond_outbox_messages_total") == {
            ("log", "delivered"): (2,),
            ("log", "failed"): (0,),
            ("post", "delivered"): (0,),
            ("post", "failed"): (1,),
        }
        await until(lambda: shown(shard, "boond_outbox_waiting_messages")["log",] == (0,))
        assert shard.measures.delivery_seconds.count("log") == 2


async def test_a_shard_that_is_told_not_to_count_shows_nothing() -> None:
    async with running_shard(MemoryJournal(), limits=Limits(measure=False)) as shard:
        await shard.submit([pay("u", "1"), balance("u")])
        assert shard.series() == []


async def test_a_way_to_the_shards_counts_its_calls() -> None:
    async with running_shard(MemoryJournal()) as shard:
        sender = Sender(LocalTransport(shard), 1)
        await asyncio.gather(*(sender.submit(pay(f"u{number}", "1")) for number in range(3)))
        assert observations(sender.measures, "boond_lane_call_seconds") == 1
        assert shown(sender, "boond_lane_call_commands")[()][-1] == 3
        assert shown(sender, "boond_lane_waiting_commands") == {("0",): (0,)}
        await sender.close()


class Lost:
    """A `Transport` to a shard that never answers."""

    async def submit(self, shard: int, blob: bytes) -> bytes:
        raise TransportLost(f"shard {shard} did not take {len(blob)} bytes")

    async def pull(self, shard: int, blob: bytes) -> bytes:
        raise TransportLost(f"shard {shard} did not take {len(blob)} bytes")


async def test_lost_calls_and_what_is_sent_again_are_counted() -> None:
    sender = Sender(Lost(), 1, LaneLimits(deadline_s=0.05, back_off_s_min=0.001, back_off_s_max=0.002))
    with pytest.raises(Unavailable):
        await sender.submit(pay("u", "1"))
    assert sender.measures.lost.value() >= 2
    assert sender.measures.retries.value() == sender.measures.lost.value()
    assert sender.measures.unavailable.value() == 1
    await sender.close()
