"""Reports and scrapes with shards that answer, are slow, or are gone."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.meters import Series
from actors.process import ProcessMeasures
from actors.reports import Reports
from actors.transport import TransportLost
from serve.live.measures import LiveMeasures
from serve.observe.observatory import REPORT_EVERY_S, REUSED_S, Observatory
from tests.support.manual_clock import ManualClock, settle


class Shards:
    """`ObservedShards` of two shards, each of which may be lost, silent or talk nonsense."""

    def __init__(self, clock: ManualClock) -> None:
        self.reports = {shard: Reports(clock.monotonic) for shard in range(2)}
        self.lost: set[int] = set()
        self.silent: set[int] = set()
        self.nonsense: set[int] = set()
        self.asked = 0

    async def report(self, shard: int, process: str, blob: bytes) -> bool:
        await self._reach(shard)
        return self.reports[shard].take(process, blob)

    async def collect(self, shard: int) -> bytes:
        self.asked += 1
        await self._reach(shard)
        if shard in self.nonsense:
            return b"\xc1"
        return self.reports[shard].collected(f"shard-{shard}", [Series("boond_shard_term", (), (7,))])

    async def _reach(self, shard: int) -> None:
        if shard in self.lost:
            raise TransportLost(f"shard {shard} is gone")
        if shard in self.silent:
            await asyncio.Event().wait()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shards(clock: ManualClock) -> Shards:
    return Shards(clock)


Observe = Callable[[str], tuple[Observatory, LiveMeasures]]


@pytest.fixture
async def observe(shards: Shards, clock: ManualClock) -> AsyncIterator[Observe]:
    tasks: list[asyncio.Task[None]] = []

    def start(process: str) -> tuple[Observatory, LiveMeasures]:
        measures = LiveMeasures()
        observatory = Observatory(process, shards, 2, ProcessMeasures(""), clock)
        observatory.add(measures.series)
        tasks.append(asyncio.create_task(observatory.run()))
        return observatory, measures

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def scraped(observatory: Observatory, name: str) -> dict[str, float]:
    """Return the values of a family by process."""
    text = (await observatory.text()).decode()
    return {
        sample.labels["process"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


async def test_one_endpoint_answers_for_every_process(observe: Observe, clock: ManualClock) -> None:
    here, mine = observe("api-a")
    _, theirs = observe("live-b")
    mine.opened.inc()
    theirs.opened.inc(by=5)
    await clock.advance(REPORT_EVERY_S)
    mine.opened.inc()
    assert await scraped(here, "boond_live_sockets_opened_total") == {"api-a": 2, "live-b": 5}
    assert await scraped(here, "boond_shard_term") == {"shard-0": 7, "shard-1": 7}
    assert await scraped(here, "boond_up") == {"api-a": 1, "live-b": 1, "shard-0": 1, "shard-1": 1}


async def test_figures_tell_how_old_they_are(observe: Observe, clock: ManualClock) -> None:
    here, _ = observe("api-a")
    observe("live-b")
    await clock.advance(REPORT_EVERY_S + 2.0)
    ages = await scraped(here, "boond_report_age_seconds")
    assert ages == {"api-a": 0, "live-b": 2, "shard-0": 0, "shard-1": 0}


@pytest.mark.parametrize("trouble", ["lost", "nonsense"])
async def test_a_shard_that_does_not_answer_is_down_and_the_others_are_shown(
    observe: Observe, shards: Shards, clock: ManualClock, trouble: str
) -> None:
    here, _ = observe("api-a")
    observe("live-b")
    await clock.advance(REPORT_EVERY_S)
    getattr(shards, trouble).add(1)
    assert await scraped(here, "boond_up") == {"api-a": 1, "live-b": 1, "shard-0": 1, "shard-1": 0}
    assert await scraped(here, "boond_shard_term") == {"shard-0": 7}


async def test_a_silent_shard_holds_a_scrape_up_for_a_moment_only(
    observe: Observe, shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.observe.observatory.ANSWER_S", 0.01)
    here, _ = observe("api-a")
    shards.silent.add(1)
    assert await scraped(here, "boond_up") == {"api-a": 1, "shard-0": 1, "shard-1": 0}


async def test_after_a_new_start_of_the_first_shard_all_are_there_again(
    observe: Observe, shards: Shards, clock: ManualClock
) -> None:
    here, _ = observe("api-a")
    observe("live-b")
    await clock.advance(REPORT_EVERY_S)
    shards.reports[0], shards.lost = Reports(clock.monotonic), {0}
    assert await scraped(here, "boond_up") == {"api-a": 1, "shard-0": 0, "shard-1": 1}
    await clock.advance(REPORT_EVERY_S)
    shards.lost = set()
    await clock.advance(REPORT_EVERY_S)
    assert await scraped(here, "boond_up") == {"api-a": 1, "live-b": 1, "shard-0": 1, "shard-1": 1}


async def test_a_process_that_ended_is_forgotten(observe: Observe, clock: ManualClock, shards: Shards) -> None:
    here, _ = observe("api-a")
    gone = Observatory("live-gone", shards, 2, ProcessMeasures(""), clock)
    leaving = asyncio.create_task(gone.run())
    await settle()
    leaving.cancel()
    assert "live-gone" in await scraped(here, "boond_up")
    await clock.advance(40)
    assert "live-gone" not in await scraped(here, "boond_up")


async def test_those_who_scrape_together_share_one_answer(observe: Observe, shards: Shards, clock: ManualClock) -> None:
    here, _ = observe("api-a")
    first, second = await asyncio.gather(here.text(), here.text())
    assert first == second
    assert shards.asked == 2
    await here.text()
    assert shards.asked == 2
    await clock.advance(REUSED_S)
    await here.text()
    assert shards.asked == 4


async def test_one_who_scrapes_and_leaves_does_not_spoil_it_for_others(observe: Observe, shards: Shards) -> None:
    here, _ = observe("api-a")
    leaving = asyncio.create_task(here.text())
    staying = asyncio.create_task(here.text())
    await asyncio.sleep(0)
    leaving.cancel()
    assert b"boond_up" in await staying


async def test_a_part_that_cannot_say_what_it_counts_hides_no_other(
    observe: Observe, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> list[Series]:
        raise RuntimeError("a pool that is closed")

    here, mine = observe("api-a")
    here.add(broken)
    mine.opened.inc()
    await clock.advance(REPORT_EVERY_S)
    assert await scraped(here, "boond_live_sockets_opened_total") == {"api-a": 1}
    assert "does not say what it counts" in caplog.text
