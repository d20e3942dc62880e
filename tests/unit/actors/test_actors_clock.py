"""The clock of a sandbox: forward only, followed by shards, and timers in between see the time they were due at."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from actors.clock import AHEAD_MAX, ClockRefused, ClockTable, InstanceClock
from actors.connections import pool
from actors.limits import Limits
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from tests.support.counter import Remind, command, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard

DAY = 86_400
AT = datetime(2026, 1, 1, tzinfo=UTC)
FOLLOWS = Limits(clock_poll_s=0.01)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def remind(shard: EntityShard, user: str, timer_id: str, seconds: int, how: str = "") -> None:
    """Set a timer."""
    [outcome] = await shard.submit([command(user, f"set-{timer_id}", Remind(timer_id, seconds=seconds, how=how))])
    assert outcome.status == "done"


def turns(store: MemoryStore, user: str) -> list[tuple[str, datetime]]:
    """Return the timers that rang, and when."""
    rows = [row for row in store.rows[user] if row.command_id.startswith("timer:")]
    return [(row.command_id.split(":")[1], row.at) for row in rows]


async def test_timers_in_between_ring_in_order_and_see_the_time_they_were_due_at() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store), clock=InstanceClock(FakeClock()), limits=FOLLOWS) as shard:
        await remind(shard, "u", "third", 10 * DAY)
        await remind(shard, "u", "first", 3 * DAY, "again")
        await remind(shard, "v", "other", 5 * DAY)
        await remind(shard, "u", "later", 20 * DAY)
        store.clock_ahead = timedelta(days=14)
        await until(lambda: shard.stats().timers_fired == 4)
        await shard.submit([pay("u", "after")])
    days = timedelta(days=1)
    assert turns(store, "u") == [("first", AT + 3 * days), ("first", AT + 4 * days), ("third", AT + 10 * days)]
    assert turns(store, "v") == [("other", AT + 5 * days)]
    assert store.rows["u"][-1].at == AT + timedelta(days=14)


async def test_a_turn_during_the_leap_is_not_followed_by_an_earlier_one() -> None:
    store = MemoryStore()
    journal = MemoryJournal(store)
    async with running_shard(journal, clock=InstanceClock(FakeClock()), limits=FOLLOWS) as shard:
        await remind(shard, "u", "t", DAY)
        kept = dict(store.timers)
        store.timers.clear()
        store.clock_ahead = timedelta(days=2)
        await until(shard._leapt)
        await shard.submit([pay("u", "t1")])
        store.timers.update(kept)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
    assert [row.at for row in store.rows["u"]][-2:] == [AT + timedelta(days=2)] * 2


async def test_the_next_incarnation_begins_where_the_clock_stands() -> None:
    store = MemoryStore()
    store.clock_ahead = timedelta(days=3)
    async with running_shard(MemoryJournal(store), clock=InstanceClock(FakeClock())) as shard:
        await shard.submit([pay("u", "t1")])
    assert store.rows["u"][-1].at == AT + timedelta(days=3)


async def test_a_shard_that_is_no_sandbox_does_not_look() -> None:
    store, clock = MemoryStore(), FakeClock()
    store.clock_ahead = timedelta(days=3)
    async with running_shard(MemoryJournal(store), clock=clock, limits=FOLLOWS) as shard:
        await shard.submit([pay("u", "t1")])
    assert store.rows["u"][-1].at == AT


def test_a_clock_never_goes_back() -> None:
    clock = InstanceClock(FakeClock())
    assert not clock.moved
    assert clock.put_ahead(timedelta(days=1))
    assert not clock.put_ahead(timedelta(hours=1))
    assert (clock(), clock.moved) == (AT + timedelta(days=1), True)


async def test_the_clock_in_postgres_goes_forward_only_and_counts_what_is_due(database_url: str) -> None:
    real = FakeClock()
    journal = PostgresJournal(database_url)
    async with pool(database_url, "test") as connections:
        table = ClockTable(connections, real)
        start = await table.state()
        assert (start.now, start.ahead_s, start.timers_due) == (AT, 0.0, 0)
        async with running_shard(journal, clock=InstanceClock(real), limits=Limits(clock_poll_s=1_000)) as shard:
            await remind(shard, "u", "t", DAY)
            state = await table.advance(AT + timedelta(days=2))
            assert (state.now, state.ahead_s, state.timers_due) == (AT + timedelta(days=2), 2.0 * DAY, 1)
            assert await journal.clock_ahead() == timedelta(days=2)
        for wrong in (AT + timedelta(days=2), AT + timedelta(days=1), real() + AHEAD_MAX + timedelta(days=1)):
            with pytest.raises(ClockRefused):
                await table.advance(wrong)
        real.advance(DAY)
        assert (await table.state()).now == AT + timedelta(days=3)
        async with running_shard(PostgresJournal(database_url), clock=InstanceClock(real)) as shard:
            await until(lambda: shard.stats().timers_fired == 1)
        assert (await table.state()).timers_due == 0
