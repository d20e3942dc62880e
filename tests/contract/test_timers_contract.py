"""What every journal must do with timers: kept, fired, put off and deleted, each only as it was set for that time."""

from datetime import datetime, timedelta

import pytest
from msgspec import structs

from actors.journal import DueTimer, Journal, JournalError
from actors.slots import shard_of
from engine.behaviour import Rows, TimerRow
from tests.contract.conftest import OpenJournal
from tests.support.rows import AT, turn

LATER = AT + timedelta(days=1)
FAR = AT + timedelta(days=30)


def setting(timer_id: str, due: datetime, body: bytes | None = b"x") -> Rows:
    """Return the rows of a turn that sets a timer, or deletes it."""
    return Rows(timers=[TimerRow(timer_id, due, body)])


async def due(journal: Journal, until: datetime = FAR, limit: int = 100) -> list[tuple[str, str, datetime]]:
    """Return what is due."""
    return [(t.entity_id, t.timer_id, t.due) for t in (await journal.due_timers(0, 1, until, limit))[0]]


async def test_timers_come_earliest_first_up_to_a_bound_and_say_what_wakes_next(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    assert await journal.due_timers(0, 1, FAR, 9) == ([], None)
    times = [("b", LATER), ("a", AT), ("c", FAR), ("d", AT)]
    await journal.commit(0, term, [turn("u", n, rows=setting(*timer)) for n, timer in enumerate(times, 1)])
    assert await journal.due_timers(0, 1, LATER - timedelta(microseconds=1), 9) == (
        [DueTimer("u", "a", AT, 0, b"x"), DueTimer("u", "d", AT, 0, b"x")],
        LATER,
    )
    assert [timer_id for _, timer_id, _ in await due(journal, limit=3)] == ["a", "d", "b"]
    assert (await journal.due_timers(0, 1, FAR, 9))[1] is None


async def test_the_turn_of_a_timer_deletes_it(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=setting("t", AT)), turn("v", 1, rows=setting("t", AT))])
    [fired, _] = (await journal.due_timers(0, 1, FAR, 9))[0]
    await journal.commit(0, term, [structs.replace(turn("u", 2), fired=fired)])
    assert await due(journal) == [("v", "t", AT)]


@pytest.mark.parametrize("together", [True, False], ids=["in one commit", "in two"])
async def test_a_timer_that_was_set_for_another_time_meanwhile_stays(journal: Journal, *, together: bool) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=setting("t", AT))])
    [fired] = (await journal.due_timers(0, 1, FAR, 9))[0]
    turns = [turn("u", 2, rows=setting("t", LATER)), structs.replace(turn("u", 3), fired=fired)]
    for part in [turns] if together else [[one] for one in turns]:
        await journal.commit(0, term, part)
    assert await due(journal) == [("u", "t", LATER)]


async def test_set_and_fired_in_one_commit_is_gone_and_fired_and_set_again_is_there(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    fired = DueTimer("u", "t", AT, 0, b"x")
    await journal.commit(0, term, [turn("u", 1, rows=setting("t", AT)), structs.replace(turn("u", 2), fired=fired)])
    assert await due(journal) == []
    again = structs.replace(turn("u", 4, rows=setting("t", LATER)), fired=fired)
    await journal.commit(0, term, [turn("u", 3, rows=setting("t", AT)), again])
    assert await due(journal) == [("u", "t", LATER)]
    gone = structs.replace(turn("u", 6, rows=setting("t", LATER, None)), fired=fired)
    await journal.commit(0, term, [turn("u", 5, rows=setting("t", AT)), gone])
    assert await due(journal) == []


async def test_a_parked_timer_wakes_later_and_setting_it_again_forgets_its_tries(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=setting("t", AT))])
    [timer] = (await journal.due_timers(0, 1, AT, 9))[0]
    await journal.park_timer(0, term, timer, LATER)
    assert await journal.due_timers(0, 1, AT, 9) == ([], LATER)
    assert (await journal.due_timers(0, 1, LATER, 9))[0] == [structs.replace(timer, tries=1)]
    await journal.commit(0, term, [turn("u", 2, rows=setting("t", AT))])
    assert (await journal.due_timers(0, 1, AT, 9))[0] == [timer]


async def test_deleting_and_parking_touch_only_what_was_set_for_that_time(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=setting("t", AT)), turn("u", 2, rows=setting("w", AT))])
    old, other = (await journal.due_timers(0, 1, FAR, 9))[0]
    await journal.commit(0, term, [turn("u", 3, rows=setting("t", LATER))])
    await journal.park_timer(0, term, old, FAR)
    await journal.drop_timers(0, term, [old, other])
    assert (await journal.due_timers(0, 1, LATER, 9))[0] == [DueTimer("u", "t", LATER, 0, b"x")]


async def test_a_stale_term_deletes_and_parks_nothing(open_journal: OpenJournal) -> None:
    old, new = open_journal(), open_journal()
    stale = await old.claim(0, 1, "old")
    await old.commit(0, stale, [turn("u", 1, rows=setting("t", AT))])
    [timer] = (await old.due_timers(0, 1, AT, 9))[0]
    await new.claim(0, 1, "new")
    try:
        await old.drop_timers(0, stale, [timer])
        await old.park_timer(0, stale, timer, FAR)
    except JournalError:
        pass
    assert (await new.due_timers(0, 1, AT, 9))[0] == [timer]


async def test_a_shard_sees_the_timers_of_its_own_slots(journal: Journal) -> None:
    term = await journal.claim(0, 3, "a")
    entities = [f"main/u{i}" for i in range(30)]
    await journal.commit(0, term, [turn(entity_id, 1, rows=setting("t", AT)) for entity_id in entities])
    seen = [{t.entity_id for t in (await journal.due_timers(shard, 3, AT, 99))[0]} for shard in range(3)]
    assert seen == [{entity_id for entity_id in entities if shard_of(entity_id, 3) == shard} for shard in range(3)]
