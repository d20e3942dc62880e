"""Postgres as an incarnation sees it through a bad connection: the store of the double, and everything that can happen
to a statement on its way there and back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from actors.journal import (
    DueTimer,
    JournalDown,
    Question,
    Reading,
    SentMessage,
    Snapshot,
    StoredTurn,
    TenantPosition,
    TenantTurn,
    TurnWrite,
)
from actors.postgres import STATEMENT_TIMEOUT_S
from engine.behaviour import OutboxMessage
from tests.support.memory_journal import MemoryJournal, MemoryStore

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

T = TypeVar("T")


class Backend:
    """One connection's server side; ended, it carries out nothing more, not even what it has begun to wait for."""

    def __init__(self) -> None:
        self.ended = False


class Line:
    """One connection of a process, as `actors.postgres` keeps it: statements take turns, a lost one is made again."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.backend = Backend()


class Database:
    """What all incarnations share. `committed` is the log of commits, as the disk would have it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.backends: dict[int, Backend] = {}
        """The recorded backend of each shard."""
        self.committed: list[tuple[float, int, int, list[tuple[str, int]]]] = []
        """(virtual time, shard, term, [(entity id, seq)])."""
        self.down = False


class ConnectedJournal:
    """`Journal` of one process. `fences` False leaves the term unchecked: to see that the oracle would notice."""

    def __init__(self, world: "World", process: "Process", *, fences: bool = True) -> None:
        self._memory = MemoryJournal(world.database.store)
        self._world, self._process, self._fences = world, process, fences
        self._writer, self._reader, self._background = Line(), Line(), Line()

    async def _at_server(self, backend: Backend, work: Callable[[], Awaitable[T]]) -> T:
        """What the server does, whether or not anybody still waits for it."""
        world = self._world
        slow = world.chance(world.faults.commit_slow)
        await asyncio.sleep(world.some(world.faults.commit_slow_s) if slow else world.hop())
        if world.database.down or backend.ended:
            raise JournalDown("the connection was ended")
        return await work()

    async def _ask(self, line: Line, work: Callable[[], Awaitable[T]]) -> T:
        """Carry a statement there and its answer back. A process that is stopped neither sends nor hears."""
        async with line.lock:
            try:
                async with asyncio.timeout(STATEMENT_TIMEOUT_S):
                    return await self._there_and_back(line.backend, work)
            except (TimeoutError, JournalDown) as error:
                line.backend = Backend()
                raise JournalDown(str(error)) from error
            except asyncio.CancelledError:
                line.backend = Backend()
                raise

    async def _there_and_back(self, backend: Backend, work: Callable[[], Awaitable[T]]) -> T:
        world, awake = self._world, self._process.awake
        await awake.wait()
        await asyncio.sleep(world.hop())
        begun = world.spawn(self._at_server(backend, work))
        if world.chance(world.faults.connection_lost):
            await asyncio.sleep(world.hop())
            await awake.wait()
            raise JournalDown("the answer never came")
        answer = await asyncio.shield(begun)
        await asyncio.sleep(world.hop())
        await awake.wait()
        return answer

    async def claim(self, shard: int, shards: int, owner: str) -> int:
        base, database = self._memory.claim, self._world.database

        async def work() -> int:
            term = await base(shard, shards, owner)
            last = database.backends.get(shard)
            if last is not None and not self._world.chance(self._world.faults.backend_survives):
                last.ended = True
            database.backends[shard] = self._writer.backend
            return term

        return await self._ask(self._writer, work)

    async def resume(self, shard: int, term: int) -> None:
        base, database = self._memory.resume, self._world.database
        self._writer.backend = Backend()

        async def work() -> None:
            if self._world.database.store.terms.get(shard) == term:
                database.backends[shard].ended = True
            await base(shard, term)
            database.backends[shard] = self._writer.backend

        await self._ask(self._writer, work)

    async def confirm(self, shard: int, term: int) -> None:
        base = self._memory.confirm
        await self._ask(self._reader, lambda: base(shard, term))

    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        base, database, loop = self._memory.commit, self._world.database, asyncio.get_running_loop()

        async def work() -> None:
            await base(shard, term if self._fences else database.store.terms[shard], turns)
            made = [(turn.row.entity_id, turn.row.seq) for turn in turns]
            database.committed.append((loop.time(), shard, term, made))

        await self._ask(self._writer, work)

    async def read(self, question: Question) -> Reading:
        base = self._memory.read
        return await self._ask(self._reader, lambda: base(question))

    async def histories(self, wanted: Sequence[tuple[str, int]], limit: int) -> dict[str, list[StoredTurn]]:
        base = self._memory.histories
        return await self._ask(self._background, lambda: base(wanted, limit))

    async def heads(self, entity_ids: Sequence[str]) -> dict[str, int]:
        base = self._memory.heads
        return await self._ask(self._background, lambda: base(entity_ids))

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        base = self._memory.save_snapshots
        await self._ask(self._background, lambda: base(snapshots))

    async def clock_ahead(self) -> timedelta:
        return timedelta(0)

    async def due_timers(
        self, shard: int, shards: int, until: datetime, limit: int
    ) -> tuple[list[DueTimer], datetime | None]:
        base = self._memory.due_timers
        return await self._ask(self._background, lambda: base(shard, shards, until, limit))

    async def drop_timers(self, shard: int, term: int, timers: Sequence[DueTimer]) -> None:
        base = self._memory.drop_timers
        await self._ask(self._background, lambda: base(shard, term, timers))

    async def park_timer(self, shard: int, term: int, timer: DueTimer, until: datetime) -> None:
        base = self._memory.park_timer
        await self._ask(self._background, lambda: base(shard, term, timer, until))

    async def waiting_messages(
        self, shard: int, shards: int, channel: str, until: datetime, entities: int, each: int
    ) -> list[list[SentMessage]]:
        base = self._memory.waiting_messages
        return await self._ask(self._background, lambda: base(shard, shards, channel, until, entities, each))

    async def drop_messages(self, shard: int, term: int, messages: Sequence[OutboxMessage]) -> None:
        base = self._memory.drop_messages
        await self._ask(self._background, lambda: base(shard, term, messages))

    async def park_message(self, shard: int, term: int, message: OutboxMessage, until: datetime) -> None:
        base = self._memory.park_message
        await self._ask(self._background, lambda: base(shard, term, message, until))

    async def turns_of_tenant(self, tenant: str, after: TenantPosition, limit: int) -> list[TenantTurn]:
        base = self._memory.turns_of_tenant
        return await self._ask(self._background, lambda: base(tenant, after, limit))

    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        base = self._memory.newest_of_tenant
        return await self._ask(self._background, lambda: base(tenant))

    async def first_unsettled(self) -> int:
        base = self._memory.first_unsettled
        return await self._ask(self._background, base)

    async def close(self) -> None:
        """See `Journal.close`."""
