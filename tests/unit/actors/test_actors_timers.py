"""Durable timers: fired once, at their time, whatever happens in between."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec import json, msgpack
from typing_extensions import override

from actors.journal import Conflict, DueTimer, Journal, JournalDown
from actors.limits import Limits
from actors.messages import Outcome, Pull
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from tests.support.counter import Counter, Remind, Ring, balance, command, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard

OpenJournal = Callable[[], Journal]
DAY = 86_400


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


async def remind(shard: EntityShard, user: str, timer_id: str, how: str = "", seconds: int = DAY) -> None:
    """Set a timer."""
    [outcome] = await shard.submit(
        [command(user, f"set-{timer_id}-{how}-{seconds}", Remind(timer_id, how=how, seconds=seconds))]
    )
    assert outcome.status == "done", outcome


async def asked(shard: EntityShard, user: str = "u") -> Any:
    """Return balance and seq."""
    [outcome] = await shard.submit([balance(user)])
    assert outcome.body is not None, outcome
    return json.decode(outcome.body)


async def left(journal: Journal) -> list[DueTimer]:
    """Return every timer there is."""
    return (await journal.due_timers(0, 1, FakeClock().at + timedelta(days=999), 999))[0]


async def test_a_timer_rings_at_its_time_and_not_before(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t")
        clock.advance(DAY - 1)
        shard.timers.nudge()
        assert (await asked(shard))["balance"] == 0
        clock.advance(1)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        assert (await asked(shard))["balance"] == 1
        assert await left(journal) == []
        history = (await journal.histories([("u", 2)], 9))["u"]
    assert [(turn.command_id, turn.at) for turn in history] == [("timer:t:2026-01-02T00:00:00Z", clock.at)]


async def test_a_timer_wakes_its_shard_by_itself(open_journal: OpenJournal) -> None:
    async with running_shard(open_journal(), limits=Limits(timers_poll_s=1_000)) as shard:
        await remind(shard, "u", "far")
        await remind(shard, "u", "now", seconds=0)
        await until(lambda: shard.stats().timers_fired == 1)


async def test_the_next_incarnation_fires_what_the_last_one_left(open_journal: OpenJournal) -> None:
    clock = FakeClock()
    async with running_shard(open_journal(), clock=clock) as shard:
        await remind(shard, "u", "t")
        await remind(shard, "v", "t")
    clock.advance(2 * DAY)
    async with running_shard(open_journal(), clock=clock) as shard:
        await until(lambda: shard.stats().timers_fired == 2)
        assert [(await asked(shard, user))["balance"] for user in "uv"] == [1, 1]


async def test_many_more_than_a_batch_ring_in_the_order_of_their_times(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    async with running_shard(journal, clock=clock, limits=Limits(timers_at_once_max=3)) as shard:
        for number in (5, 2, 9, 1, 7, 3, 8, 4, 6):
            await remind(shard, "u", f"t{number}", seconds=number)
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 9)
        history = (await journal.histories([("u", 10)], 99))["u"]
    assert [turn.command_id.split(":")[1] for turn in history] == [f"t{n}" for n in range(1, 10)]


async def test_a_timer_may_set_itself_again_in_its_own_turn(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t", "again")
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        assert [timer.due for timer in await left(journal)] == [clock.at + timedelta(days=1)]
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 2)
        assert await left(journal) == []


async def test_nothing_to_do_is_an_empty_turn_that_the_socket_sees_too(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t", "nothing")
        known = await shard.pull(Pull("g", "", 0, {"u": 2}))
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        pulled = await shard.pull(Pull("g", known.incarnation, known.cursor))
        assert await left(journal) == []
    assert [(frame.seq, bytes(frame.events)) for frame in pulled.frames] == [(3, b"[]")]


async def test_a_refused_timer_is_deleted_and_fires_no_more(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "no", "refuse", DAY - 1)
        await remind(shard, "u", "yes")
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        stats = shard.stats()
        assert (stats.timers_refused, stats.timers_parked) == (1, 0)
        await asked(shard)
        assert await left(journal) == []


async def test_a_poison_timer_waits_longer_each_time_and_blocks_nobody(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    limits = Limits(timers_at_once_max=2, timer_park_s_min=10, timer_park_s_max=15)
    async with running_shard(journal, clock=clock, limits=limits) as shard:
        for number in range(4):
            await remind(shard, "u", f"bad{number}", "boom", DAY - 1)
        await remind(shard, "u", "good")
        await remind(shard, "v", "good")
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 2)
        assert shard.stats().timers_parked == 4
        assert {timer.tries for timer in await left(journal)} == {1}
        parked = []
        for pause, least in ((9, 4), (1, 8), (14, 8), (1, 12)):
            clock.advance(pause)
            shard.timers.nudge()
            await until(partial(_parked, shard, least))
            parked.append(shard.stats().timers_parked)
        assert parked == [4, 8, 8, 12]


def _parked(shard: EntityShard, least: int) -> bool:
    return shard.stats().timers_parked >= least


async def test_a_command_this_release_cannot_read_is_kept_for_one_that_can() -> None:
    clock, journal = FakeClock(), MemoryJournal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t")
        [(wakes, timer)] = journal.store.timers.values()
        unknown = DueTimer("u", "t", timer.due, 0, msgpack.encode({"type": "of a newer release"}))
        journal.store.timers["u", "t"] = (wakes, unknown)
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_parked == 1)
        assert len(journal.store.timers) == 1


async def test_a_timer_cancelled_or_set_anew_by_a_turn_before_it_rings_only_as_it_is_now(
    open_journal: OpenJournal,
) -> None:
    clock, journal = FakeClock(), open_journal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "gone")
        await remind(shard, "u", "moved")
        await shard.submit([command("u", "cancel", Remind("gone", cancel=True))])
        await remind(shard, "u", "moved", seconds=2 * DAY)
        clock.advance(DAY)
        shard.timers.nudge()
        assert (await asked(shard))["balance"] == 0
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        assert await left(journal) == []


async def test_a_passivated_entity_is_woken_by_its_timer(open_journal: OpenJournal) -> None:
    clock = FakeClock()
    async with running_shard(open_journal(), clock=clock) as shard:
        await remind(shard, "u", "t")
        clock.advance(DAY)
        assert shard.sweep() == 1
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)


class Forgetting(MemoryJournal):
    """Commits, and says that the connection was lost before the answer."""

    lose = False

    @override
    async def commit(self, shard: int, term: int, turns: Any) -> None:
        await super().commit(shard, term, turns)
        if self.lose:
            self.lose = False
            raise JournalDown("lost after the commit")


async def test_a_commit_whose_answer_is_lost_is_not_fired_again() -> None:
    clock, journal = FakeClock(), Forgetting()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t")
        kept = dict(journal.store.timers)
        clock.advance(DAY)
        journal.lose = True
        shard.timers.nudge()
        await until(lambda: journal.resumed == 1)
        journal.store.timers.update(kept)
        shard.timers.nudge()
        await until(lambda: not journal.store.timers)
        assert await asked(shard) == {"balance": 1, "turns": 3, "seq": 3}


@pytest.mark.parametrize("error", [JournalDown("away"), Conflict("taken")])
async def test_a_failed_commit_leaves_the_timer_to_be_fired_again(error: Exception) -> None:
    clock, journal = FakeClock(), MemoryJournal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t")
        clock.advance(DAY)
        journal.commit_error = error  # type: ignore[assignment]
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        assert await asked(shard) == {"balance": 1, "turns": 3, "seq": 3}


async def test_two_owners_at_once_fire_a_timer_once() -> None:
    clock, store = FakeClock(), MemoryStore()
    stale = MemoryJournal(store)
    fenced: list[str] = []
    async with running_shard(stale, clock=clock, fenced=fenced) as old:
        await remind(old, "u", "t")
        stale.gate.clear()
        clock.advance(DAY)
        old.timers.nudge()
        async with running_shard(MemoryJournal(store), clock=clock) as new:
            await until(lambda: new.stats().timers_fired == 1)
            stale.gate.set()
            await until(lambda: fenced == ["fenced"])
            assert await asked(new) == {"balance": 1, "turns": 3, "seq": 3}


async def test_what_a_storage_refuses_beside_a_timer_does_not_stop_it() -> None:
    clock, journal = FakeClock(), MemoryJournal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t")
        clock.advance(DAY)
        journal.gate.clear()
        paid = asyncio.create_task(shard.submit([pay("v", "a"), pay("v", "b", note="nul")]))
        shard.timers.nudge()
        await until(lambda: shard.stats().queued == 0 and shard.stats().active == 2)
        journal.gate.set()
        assert [outcome.status for outcome in await paid] == ["done", "refused"]
        await until(lambda: shard.stats().timers_fired == 1)
        assert not journal.store.timers


async def test_the_time_of_an_entity_never_goes_back(open_journal: OpenJournal) -> None:
    clock, journal = FakeClock(), open_journal()
    outcomes: list[Outcome] = []
    async with running_shard(journal, clock=clock, limits=Limits(snapshot_every=2)) as shard:
        outcomes += await shard.submit([pay("u", "t1")])
        clock.advance(-60)
        outcomes += await shard.submit([pay("u", "t2"), pay("u", "t3")])
        await shard.drain()
    async with running_shard(open_journal(), clock=clock) as shard:
        outcomes += await shard.submit([pay("u", "t4")])
    at = [json.decode(outcome.body or b"")["at"] for outcome in outcomes]
    assert at == ["2026-01-01T00:00:00Z"] * 4


async def test_a_clock_put_back_while_a_timer_fires_does_not_make_it_early() -> None:
    clock, journal = FakeClock(), MemoryJournal()
    async with running_shard(journal, clock=clock) as shard:
        await remind(shard, "u", "t")
        journal.read_gate.clear()
        clock.advance(DAY)
        shard.timers.nudge()
        await until(lambda: shard.stats().queued == 0 and shard._busy)
        clock.advance(-60)
        journal.read_gate.set()
        await until(lambda: shard.stats().timers_fired == 1)
        [_, _, rang] = (await journal.histories([("u", 0)], 9))["u"]
    assert rang.at == FakeClock().at + timedelta(seconds=DAY)


def test_a_ring_is_a_command_like_any_other() -> None:
    assert Counter().decode_command(msgpack.encode(Ring("t"))) == Ring("t")
