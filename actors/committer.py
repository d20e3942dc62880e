"""Group commit: one batch in flight, one forming; at once when idle.

Turns that are not known to be visible to a read yet are kept as an overlay. It is dropped only at the start of an
iteration, before the next read of facts: so nothing slips between a commit and the read that should see it.
"""

import logging
from asyncio import Event, Future, get_running_loop
from collections.abc import Awaitable, Callable
from time import perf_counter

from actors.journal import Conflict, Journal, JournalError
from actors.measures import ShardMeasures
from actors.turns import Batch, Twin

_log = logging.getLogger(__name__)


class Committer:
    """Commits the batches of one shard, in order.

    `settled` is called after each commit; `failed` is awaited with the batch that failed and the one that was forming
    on top of it, and nothing is committed before it returns.
    """

    def __init__(
        self,
        journal: Journal,
        settled: Callable[[Batch], None],
        failed: Callable[[list[Batch], JournalError], Awaitable[None]],
        measures: ShardMeasures,
    ) -> None:
        self._journal = journal
        self._settled = settled
        self._failed = failed
        self._measures = measures
        self._wake = Event()
        self._waiting: list[Future[None]] = []
        self._overlays: list[Batch] = []
        self._flying: Batch | None = None
        self.forming = self._begin()
        self.commits = 0
        self.turns = 0

    def _begin(self) -> Batch:
        batch = Batch()
        self._overlays.append(batch)
        return batch

    def twin(self, key: tuple[str, str]) -> Twin | None:
        """Return the uncommitted (or only just committed) turn of an (entity id, command id)."""
        for batch in self._overlays:
            found = batch.twins.get(key)
            if found is not None:
                return found
        return None

    def sealed(self, key: tuple[str, str]) -> bytes | None:
        """Return the newest uncommitted version of an (entity id, transaction id)."""
        for batch in reversed(self._overlays):
            found = batch.sealed.get(key)
            if found is not None:
                return found
        return None

    def identified(self, key: tuple[str, str, str, str]) -> bytes | None:
        """Return the newest uncommitted version of an (entity id, origin, source, external id)."""
        for batch in reversed(self._overlays):
            found = batch.identified.get(key)
            if found is not None:
                return found
        return None

    def forget_settled(self) -> None:
        """Drop the overlays of committed batches: what is read from now on sees them."""
        self._overlays = [batch for batch in self._overlays if not batch.settled]

    def nudge(self) -> None:
        """Commit what has formed as soon as nothing is in flight."""
        if self.forming.writes:
            self._wake.set()

    @property
    def idle(self) -> bool:
        """Say whether nothing is in flight and nothing is forming."""
        return self._flying is None and not self.forming.writes

    async def progress(self) -> None:
        """Wait until the commit in flight has ended, well or not."""
        future = get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def settle(self) -> None:
        """Wait until everything that has formed is committed or has failed."""
        while not self.idle:
            await self.progress()

    async def run(self, shard: int, term: int) -> None:
        """Commit for as long as the shard lives."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.forming.writes:
                batch, self.forming = self.forming, self._begin()
                self._flying = batch
                await self._commit(shard, term, batch)
                self._flying = None
                waiting, self._waiting = self._waiting, []
                for future in waiting:
                    future.set_result(None)

    async def _write(self, shard: int, term: int, batch: Batch) -> None:
        began = perf_counter()
        try:
            await self._journal.commit(shard, term, batch.writes)
        except Exception as error:
            self._measures.commit_failures.inc(type(error).__name__)
            raise
        finally:
            self._measures.committed(batch.writes, perf_counter() - began)

    async def _commit(self, shard: int, term: int, batch: Batch) -> None:
        try:
            await self._write(shard, term, batch)
        except JournalError as error:
            await self._give_up(batch, error)
        except Exception as error:
            _log.exception("commit of %d turns failed in a way the journal does not name", len(batch.writes))
            await self._give_up(batch, Conflict(str(error)))
        else:
            batch.settled = True
            self.commits += 1
            self.turns += len(batch.writes)
            try:
                self._settled(batch)
            except Exception:
                _log.exception("a committed batch of %d turns could not be told to all", len(batch.writes))

    async def _give_up(self, batch: Batch, error: JournalError) -> None:
        on_top, self.forming = self.forming, Batch()
        self._overlays = [self.forming, *(kept for kept in self._overlays if kept.settled)]
        await self._failed([batch, on_top], error)
