"""Writes snapshots beside the turns: a snapshot that is late or lost costs a longer replay, nothing else."""

import logging
from asyncio import Event, sleep

from actors.journal import Journal, JournalError, Snapshot
from actors.measures import ShardMeasures

_log = logging.getLogger(__name__)

_PER_STATEMENT = 50
_PAUSE_S = 1.0


class SnapshotWriter:
    """A bounded backlog, the newest snapshot of each entity; when it is full, more are not taken."""

    def __init__(self, journal: Journal, waiting_max: int, measures: ShardMeasures) -> None:
        self._journal = journal
        self._measures = measures
        self._waiting_max = waiting_max
        self._waiting: dict[str, Snapshot] = {}
        self._wake = Event()

    def keep(self, snapshot: Snapshot) -> None:
        """Take a snapshot of committed turns."""
        if len(self._waiting) < self._waiting_max or snapshot.entity_id in self._waiting:
            self._waiting[snapshot.entity_id] = snapshot
            self._wake.set()
        else:
            self._measures.snapshots.inc("skipped")

    async def flush(self) -> None:
        """Write all that waits. Raises `JournalError`."""
        while self._waiting:
            some = [self._waiting.pop(key) for key in list(self._waiting)[:_PER_STATEMENT]]
            await self._journal.save_snapshots(some)
            self._measures.snapshots.inc("written", by=len(some))

    async def run(self) -> None:
        """Write for as long as the shard lives."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.flush()
            except JournalError as error:
                _log.warning("snapshots not written, replay will take longer: %s", error)
                await sleep(_PAUSE_S)
