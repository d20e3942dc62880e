"""One process' part in watching the whole instance: it reports itself to shard 0, and collects from all when asked.

A scrape asks every shard at the same time, and shard 0 also for what the other processes reported. Who does not answer
in time is absent and `boond_up` 0: a scrape never fails and never waits longer than `ANSWER_S`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import DecodeError

from actors.meters import Series
from actors.process import ProcessMeasures
from actors.reports import Report, decode_reports, encode_series
from actors.transport import TransportLost
from serve.live.ports import Clock, SystemClock
from serve.observe.catalogue import REPORT_AGE, UP
from serve.observe.exposition import exposition

_log = logging.getLogger(__name__)

REPORT_EVERY_S = 5.0
ANSWER_S = 1.0
"""How long a shard may take to say how it is."""
REUSED_S = 1.0
"""How long an answer is good for the next scrape: anybody may ask, and each answer asks every shard."""
HOME = 0
"""The shard that keeps reports."""

Source = Callable[[], list[Series]]


class ObservedShards(Protocol):
    """The way to what shards count and keep. Both raise `TransportLost`."""

    async def report(self, shard: int, process: str, blob: bytes) -> bool:
        """Leave a report with a shard; False when it has no room."""

    async def collect(self, shard: int) -> bytes:
        """Return the encoded reports a shard holds, its own first (`actors.reports`)."""


class Observatory:
    """Of one process, named `process`. Its parts say what they count (`add`)."""

    def __init__(
        self,
        process: str,
        shards: ObservedShards,
        count: int,
        uses: ProcessMeasures,
        clock: Clock | None = None,
    ) -> None:
        """`count`: how many shards there are; `uses`: what this process uses."""
        self.process = process
        self._shards, self._count = shards, count
        self._uses = uses
        self._sources: list[Source] = [uses.series]
        self._tasks: list[asyncio.Task[None]] = []
        self._clock = clock or SystemClock()
        self._scrape: asyncio.Task[bytes] | None = None
        self._scraped_at = 0.0

    def add(self, source: Source) -> None:
        """Show what one more part of this process counts."""
        self._sources.append(source)

    def begin(self) -> None:
        """Begin to report, and to see how late the loop is."""
        self._tasks = [asyncio.create_task(self.run()), asyncio.create_task(self._uses.watch())]

    async def run(self) -> None:
        """Report for ever. A report that does not arrive is not kept: the next one says more."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._shards.report(HOME, self.process, encode_series(self._own()))
            except (TransportLost, TimeoutError) as error:
                _log.info("no report to shard %d: %s", HOME, error)
            except Exception:
                _log.exception("no report to shard %d", HOME)
            await self._clock.sleep(REPORT_EVERY_S)

    async def text(self) -> bytes:
        """Return what the whole instance counts, in Prometheus' text format; those who ask together share one."""
        now = self._clock.monotonic()
        if self._scrape is None or (self._scrape.done() and now - self._scraped_at >= REUSED_S):
            self._scrape = asyncio.create_task(self._collect())
            self._scraped_at = now
        return await asyncio.shield(self._scrape)

    async def close(self) -> None:
        """End the reports and the scrape under way."""
        ending: list[asyncio.Task[Any]] = [*self._tasks, *([self._scrape] if self._scrape is not None else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _own(self) -> list[Series]:
        return [series for source in self._sources for series in _asked(source)]

    async def _collect(self) -> bytes:
        answers = await asyncio.gather(*(self._ask(shard) for shard in range(self._count)))
        by_process: dict[str, list[Series]] = {}
        for shard, reports in enumerate(answers):
            if not reports:
                by_process[f"shard-{shard}"] = [Series(UP.name, (), (0,))]
            for report in reports:
                by_process[report.process] = _of_report(report)
        by_process[self.process] = [*_about(0.0), *self._own()]
        return exposition(by_process)

    async def _ask(self, shard: int) -> list[Report]:
        try:
            async with asyncio.timeout(ANSWER_S):
                return decode_reports(await self._shards.collect(shard))
        except (TransportLost, TimeoutError, DecodeError) as error:
            _log.info("shard %d does not say how it is: %s", shard, error)
        except Exception:
            _log.exception("shard %d does not say how it is", shard)
        return []


def _asked(source: Source) -> list[Series]:
    """Return what a source counts; one that fails must not hide what the others say."""
    try:
        return source()
    except Exception:
        _log.exception("a part of this process does not say what it counts")
        return []


def _about(age_s: float) -> list[Series]:
    return [Series(UP.name, (), (1,)), Series(REPORT_AGE.name, (), (age_s,))]


def _of_report(report: Report) -> list[Series]:
    try:
        return [*_about(report.age_s), *report.series()]
    except DecodeError as error:
        _log.warning("the report of %s cannot be read: %s", report.process, error)
        return [Series(UP.name, (), (0,))]
