import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import pytest

from actors.client import HISTORIES_MAX, alike
from actors.gathered import Gathered
from actors.runtime import Unavailable
from tests.support.manual_clock import settle


class Table:
    """What is read; `gate` holds queries back."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.under_way = self.most_under_way = 0
        self.version = 1
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.queries.append(list(keys))
        found = {key: f"{key}{self.version}" for key in keys if key != "none"}
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if self.error:
            raise self.error
        return found


def choose(waiting: Iterable[str]) -> list[str]:
    return list(islice(waiting, 3))


def over(table: Table, *, in_flight_max: int = 1, waiting_max: int = 100) -> Gathered[str, str]:
    return Gathered(table.read, choose, "?", in_flight_max=in_flight_max, waiting_max=waiting_max)


async def test_what_is_asked_at_the_same_time_is_one_query_in_order() -> None:
    table = Table()
    gathered = over(table)
    assert await asyncio.gather(*(gathered.ask(key) for key in "abcdefg")) == ["a1", "b1", "c1", "d1", "e1", "f1", "g1"]
    assert table.queries == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


async def test_only_so_many_queries_are_under_way() -> None:
    table = Table()
    table.gate.clear()
    gathered = over(table, in_flight_max=2)
    asked = [asyncio.create_task(gathered.ask(key)) for key in "abcdefghijkl"]
    await settle()
    asked += [asyncio.create_task(gathered.ask(key)) for key in "mno"]
    await settle()
    assert table.queries == [["a", "b", "c"], ["d", "e", "f"]]
    table.gate.set()
    await asyncio.gather(*asked)
    assert (len(table.queries), table.most_under_way) == (5, 2)


async def test_two_who_ask_the_same_share_a_query_unless_it_was_sent() -> None:
    table = Table()
    gathered = over(table)
    assert await asyncio.gather(*(gathered.ask("a") for _ in range(2))) == ["a1", "a1"]
    table.gate.clear()
    sent = asyncio.create_task(gathered.ask("a"))
    await settle()
    table.version = 2
    later = asyncio.create_task(gathered.ask("a"))
    await settle()
    table.gate.set()
    assert [await sent, await later] == ["a1", "a2"], "an answer is never older than its question"
    assert table.queries == [["a"], ["a"], ["a"]]


async def test_one_who_goes_away_takes_nobody_with_it() -> None:
    table = Table()
    table.gate.clear()
    gathered = over(table)
    goes, stays = asyncio.create_task(gathered.ask("a")), asyncio.create_task(gathered.ask("a"))
    await settle()
    goes.cancel()
    await settle()
    table.gate.set()
    assert await stays == "a1"
    assert goes.cancelled()


async def test_a_failed_query_fails_its_askers_only() -> None:
    table = Table()
    table.error = Unavailable("down")
    gathered = over(table)
    failed = await asyncio.gather(gathered.ask("a"), gathered.ask("b"), return_exceptions=True)
    assert [str(error) for error in failed] == ["down", "down"]
    table.error = None
    assert await gathered.ask("a") == "a1"


async def test_a_key_that_is_not_there_is_missing() -> None:
    assert await over(Table()).ask("none") == "?"


async def test_beyond_the_bound_is_unavailable_at_once() -> None:
    table = Table()
    table.gate.clear()
    gathered = over(table, waiting_max=2)
    sent = asyncio.create_task(gathered.ask("a"))
    await settle()
    waiting = [asyncio.create_task(gathered.ask(key)) for key in "bc"]
    await settle()
    with pytest.raises(Unavailable, match="2 reads of the journal wait"):
        await gathered.ask("d")
    table.gate.set()
    assert await asyncio.gather(sent, *waiting) == ["a1", "b1", "c1"]


async def test_closing_tells_whoever_waits() -> None:
    table = Table()
    table.gate.clear()
    gathered = over(table)
    sent = asyncio.create_task(gathered.ask("a"))
    await settle()
    waits = asyncio.create_task(gathered.ask("b"))
    await settle()
    await gathered.close()
    for task in (sent, waits):
        with pytest.raises(Unavailable, match="stopping"):
            await task


def test_histories_of_one_query_have_one_length_and_one_position_an_entity() -> None:
    waiting = [("a", 5, 100), ("b", 0, 100), ("a", 9, 100), ("c", 0, 50), ("d", 1, 100)]
    assert alike(waiting) == [("a", 5, 100), ("b", 0, 100), ("d", 1, 100)]
    assert alike(waiting[3:]) == [("c", 0, 50)]
    assert len(alike([(f"user-{n}", 0, 10) for n in range(200)])) == HISTORIES_MAX
