"""Waiting for a tenant's turns: one question for all who wait, none while nobody does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from msgspec import structs
from typing_extensions import override

from actors.codec import pack
from actors.feed import UNREADABLE
from actors.journal import BEGINNING, TenantPosition
from actors.kinds import hosted
from serve.tenant_feed import FeedLimits, NotOurs, TenantFeed, TooManyWaiting
from tests.support.counter import Counter
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_journal import MemoryJournal
from tests.support.rows import turn


class Counted(MemoryJournal):
    """Counts the questions, and fails them when told."""

    def __init__(self) -> None:
        super().__init__()
        self.newest_asked = 0
        self.error: Exception | None = None

    @override
    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        self.newest_asked += 1
        if self.error is not None:
            raise self.error
        return await super().newest_of_tenant(tenant)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def journal() -> Counted:
    return Counted()


@pytest.fixture
async def feed(journal: Counted, clock: ManualClock) -> AsyncIterator[TenantFeed]:
    limits = FeedLimits(poll_s=0.15, waiting_max=4, waiting_per_tenant_max=3)
    opened = TenantFeed(journal, hosted(Counter()), clock, limits)
    yield opened
    await opened.close()


async def commit(journal: Counted, entity_id: str, seq: int) -> None:
    """Commit one turn that the toy domain can read."""
    written = turn(entity_id, seq)
    row = structs.replace(written.row, body=pack(Counter().encode_turn([], 0)), meta=b"")
    journal.store.terms[0] = 1
    await journal.commit(0, 1, [structs.replace(written, row=row)])


def ask(feed: TenantFeed, after: TenantPosition = BEGINNING, wait_s: float = 10, tenant: str = "main") -> Any:
    return asyncio.create_task(feed.page(tenant, after, 10, wait_s))


async def test_what_is_there_is_answered_without_a_wait(feed: TenantFeed, journal: Counted) -> None:
    await commit(journal, "main/u", 1)
    [(position, frame)] = await feed.page("main", BEGINNING, 10, 10)
    assert (position.entity_id, frame.seq, frame.entity_id) == ("main/u", 1, "main/u")
    assert journal.newest_asked == 0


async def test_a_call_that_waits_hears_of_the_next_turn(feed: TenantFeed, journal: Counted, clock: ManualClock) -> None:
    waiting = ask(feed)
    await clock.advance(1)
    await commit(journal, "main/u", 1)
    assert not waiting.done()
    await clock.advance(0.15)
    assert [frame.seq for _, frame in await waiting] == [1]


async def test_a_call_that_waits_in_vain_is_answered_with_nothing(feed: TenantFeed, clock: ManualClock) -> None:
    waiting = ask(feed, wait_s=3)
    await clock.advance(2.9)
    assert not waiting.done()
    await clock.advance(0.1)
    assert await waiting == []
    assert await feed.page("main", BEGINNING, 10, 0) == []


async def test_all_who_wait_for_a_tenant_share_one_question_and_nobody_waiting_asks_none(
    feed: TenantFeed, journal: Counted, clock: ManualClock
) -> None:
    waiting = [ask(feed, wait_s=1.5) for _ in range(3)]
    await clock.advance(1.5)
    assert [await one for one in waiting] == [[], [], []]
    assert 10 <= journal.newest_asked <= 11
    await clock.advance(1)
    asked = journal.newest_asked
    await clock.advance(60)
    assert journal.newest_asked == asked


async def test_a_turn_of_another_tenant_wakes_nobody(feed: TenantFeed, journal: Counted, clock: ManualClock) -> None:
    waiting = ask(feed, wait_s=2)
    await settle()
    await commit(journal, "acme/u", 1)
    await clock.advance(1)
    assert not waiting.done()
    await clock.advance(1)
    assert await waiting == []


async def test_one_who_is_at_the_end_sleeps_on_while_one_behind_is_answered(
    feed: TenantFeed, journal: Counted, clock: ManualClock
) -> None:
    await commit(journal, "main/u", 1)
    at_the_end = ask(feed, await feed.end("main"))
    await clock.advance(1)
    assert not at_the_end.done()
    assert len(await feed.page("main", BEGINNING, 10, 5)) == 1
    await commit(journal, "main/u", 2)
    await clock.advance(0.15)
    assert [frame.seq for _, frame in await at_the_end] == [2]


async def test_no_more_calls_wait_than_may(feed: TenantFeed, clock: ManualClock) -> None:
    held = [ask(feed) for _ in range(3)]
    await settle()
    with pytest.raises(TooManyWaiting):
        await feed.page("main", BEGINNING, 10, 5)
    held.append(ask(feed, tenant="acme"))
    await settle()
    with pytest.raises(TooManyWaiting):
        await feed.page("third", BEGINNING, 10, 5)
    held[0].cancel()
    await settle()
    held.append(ask(feed, tenant="third"))
    await clock.advance(10)
    assert [await one for one in held[1:]] == [[], [], [], []]


async def test_a_question_that_fails_fails_those_who_wait_and_no_later_one(
    feed: TenantFeed, journal: Counted, clock: ManualClock
) -> None:
    waiting = [ask(feed), ask(feed)]
    await clock.advance(1)
    journal.error = psycopg.OperationalError("gone")
    await clock.advance(0.15)
    for one in waiting:
        with pytest.raises(psycopg.OperationalError):
            await one
    journal.error = None
    later = ask(feed, wait_s=1)
    await clock.advance(1)
    assert await later == []


async def test_closing_lets_go_of_all_who_wait(feed: TenantFeed) -> None:
    waiting = ask(feed)
    await settle()
    await feed.close()
    assert await waiting == []


@pytest.mark.parametrize("body", [b"\x09\x00\x00newer", b"", pack(b"damaged")])
async def test_a_turn_that_cannot_be_read_is_told_as_such_and_keeps_no_other_back(
    feed: TenantFeed, journal: Counted, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    await commit(journal, "main/u", 1)
    broken = turn("main/u", 2)
    await journal.commit(0, 1, [structs.replace(broken, row=structs.replace(broken.row, body=body))])
    await commit(journal, "main/u", 3)
    found = [frame for _, frame in await feed.page("main", BEGINNING, 10, 0)]
    assert [(frame.seq, frame.events == UNREADABLE) for frame in found] == [(1, False), (2, True), (3, False)]
    assert found[1].at == found[0].at
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(line)["about"] == {"entity": "main/u", "seq": 2}


async def test_a_page_is_bounded_in_bytes_and_the_next_goes_on(journal: Counted, clock: ManualClock) -> None:
    for seq in range(1, 6):
        await commit(journal, "main/u", seq)
    whole = TenantFeed(journal, hosted(Counter()), clock, FeedLimits())
    each = len((await whole.page("main", BEGINNING, 10, 0))[0][1].events)
    for most, sizes in ((1, [1, 1, 1, 1, 1]), (2 * each, [2, 2, 1]), (2 * each + 1, [2, 2, 1])):
        bounded = TenantFeed(journal, hosted(Counter()), clock, FeedLimits(events_bytes_max=most))
        after, pages = BEGINNING, []
        while page := await bounded.page("main", after, 10, 0):
            pages.append([frame.seq for _, frame in page])
            after = page[-1][0]
        assert [len(one) for one in pages] == sizes
        assert [seq for one in pages for seq in one] == [1, 2, 3, 4, 5]


async def test_a_position_this_database_never_reached_is_not_waited_on(feed: TenantFeed, journal: Counted) -> None:
    await commit(journal, "main/u", 1)
    end = await feed.end("main")
    assert await feed.page("main", end, 10, 0) == []
    for wait_s in (0, 10):
        with pytest.raises(NotOurs):
            await feed.page("main", structs.replace(end, xact=end.xact + 1), 10, wait_s)
