"""A world of processes, clients and phones over one database, run from a seed until everything has come to rest."""

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

from actors.journal import JournalError
from actors.slots import shard_of
from actors.transport import TransportLost
from tests.simulation.clients import Client
from tests.simulation.database import Database
from tests.simulation.faults import CALM, Faults
from tests.simulation.history import History
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network
from tests.simulation.process import Process

T = TypeVar("T")
_LIFE_S = 1_500.0
"""Ten times what the clients of a world need."""
_REST_S = 400.0
"""Longer than any deadline, pause or jump of a clock: what has not come to rest by then never will."""


class World:
    """One run. Everything random comes from `rng`, everything timed from `loop`."""

    def __init__(
        self,
        seed: int,
        loop: VirtualLoop,
        faults: Faults | None = None,
        *,
        shards: int = 2,
        entities: int = 6,
        clients: int = 4,
        commands: int = 40,
        fences: bool = True,
    ) -> None:
        self.rng = random.Random(seed)
        # The lanes' jitter is drawn from the module's own generator.
        random.seed(seed)
        self.loop = loop
        self.faults = faults or Faults()
        self.shards = shards
        self.entities = _spread(entities, shards)
        self.database = Database()
        self.history = History()
        self.processes: list[Process] = []
        self._fences = fences
        self._births = 0
        self._newest: dict[int, Process] = {}
        self._commands = commands
        self._spawned: set[asyncio.Task[Any]] = set()
        self._troubles: list[BaseException] = []
        self.clients = [Client(self, n, self.rng.sample(self.entities, 3)) for n in range(clients)]

    def chance(self, share: float) -> bool:
        """Say yes with this probability."""
        return self.rng.random() < share

    def some(self, mean: float) -> float:
        """Return a time that is `mean` on average, and at times much longer."""
        return self.rng.expovariate(1 / mean) if mean > 0 else 0.0

    def hop(self) -> float:
        """Return how long a message is under way."""
        return self.some(self.faults.latency_s)

    def transport(self) -> Network:
        """Return a way to the shards."""
        return Network(self)

    def route(self, shard: int) -> Process | None:
        """Return a process that claims to host the shard: any of them, as whoever calls may know an old one."""
        hosting = [process for process in self.processes if process.shard == shard]
        return self.rng.choice(hosting) if hosting else None

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin something that nobody need wait for; what fails in a way no port names is a defect of the world."""
        task = self.loop.create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._spawned.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, JournalError | TransportLost):
            self._troubles.append(error)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Spawn what nobody asks after."""
        self.spawn(work)  # type: ignore[unused-awaitable]

    def start(self, shard: int) -> None:
        """Start an incarnation."""
        self._births += 1
        process = Process(self, shard, self._births, fences=self._fences)
        self.processes.append(process)
        self._newest[shard] = process
        process.starting = self.spawn(process.run())

    def kill(self, process: Process) -> None:
        """End a process at once; another is started after a while, as Ray does."""
        if process not in self.processes:
            return
        self.processes.remove(process)
        self.history.note(self.loop.time(), f"kill {process.name}")
        process.dead.set()
        self.begin(process.end())
        if process is self._newest[process.shard]:
            self.begin(self._replace(process))

    async def _replace(self, process: Process) -> None:
        """Start another, unless somebody did meanwhile. One that Ray had given up before is not replaced again."""
        await asyncio.sleep(self.some(1.0))
        if process is self._newest[process.shard]:
            self.start(process.shard)

    async def _pause(self, process: Process) -> None:
        self.history.note(self.loop.time(), f"pause {process.name}")
        process.awake.clear()
        if self.chance(0.6):
            # Long enough to be replaced.
            await asyncio.sleep(self.some(self.faults.pause_s) / 2)
            self.start(process.shard)
        await asyncio.sleep(self.some(self.faults.pause_s))
        process.awake.set()

    async def _database_down(self) -> None:
        self.history.note(self.loop.time(), "journal-down")
        self.database.down = True
        await asyncio.sleep(self.some(self.faults.journal_down_s))
        self.database.down = False

    async def _nemesis(self) -> None:
        faults = self.faults
        kinds = ("kill", "pause", "twin", "journal_down", "clock_jump")
        weights = [getattr(faults, kind) for kind in kinds]
        while True:
            await asyncio.sleep(self.some(faults.nemesis_every_s))
            kind = self.rng.choices(kinds, weights)[0]
            process = self.rng.choice(self.processes) if self.processes else None
            if kind == "journal_down":
                self.begin(self._database_down())
            elif process is None:
                continue
            elif kind == "kill":
                self.kill(process)
            elif kind == "pause":
                self.begin(self._pause(process))
            elif kind == "twin":
                self.history.note(self.loop.time(), f"twin shard-{process.shard}")
                self.start(process.shard)
            else:
                self.history.note(self.loop.time(), f"clock {process.name}")
                process.skew_s += self.rng.uniform(-faults.clock_jump_s, faults.clock_jump_s)

    async def run(self) -> None:
        """Live through everything, then come to rest without faults."""
        for shard in range(self.shards):
            self.start(shard)
        nemesis = self.spawn(self._nemesis()) if self.faults.nemesis_every_s < float("inf") else None
        try:
            async with asyncio.timeout(_LIFE_S):
                await asyncio.gather(*(client.run(self._commands) for client in self.clients))
        except TimeoutError:
            self._troubles.append(AssertionError(f"clients were not answered within {_LIFE_S:.0f} s"))
        if nemesis is not None:
            nemesis.cancel()
        self.faults = CALM
        for process in self.processes:
            process.awake.set()
        await asyncio.sleep(_REST_S)
        await self._close()

    async def _close(self) -> None:
        for client in self.clients:
            await client.close()
        for process in list(self.processes):
            process.dead.set()
            await process.end()
        for task in list(self._spawned):
            task.cancel()
        await asyncio.gather(*self._spawned, return_exceptions=True)
        if self._troubles:
            raise self._troubles[0]


def _spread(entities: int, shards: int) -> list[str]:
    """Return entity ids, as many on each shard."""
    by_shard: dict[int, list[str]] = {shard: [] for shard in range(shards)}
    number = 0
    while any(len(found) * shards < entities for found in by_shard.values()):
        entity_id = f"main/user-{number}"
        by_shard[shard_of(entity_id, shards)].append(entity_id)
        number += 1
    return [entity_id for found in by_shard.values() for entity_id in found[: -(-entities // shards)]]


def simulate(seed: int, faults: Faults | None = None, **shape: Any) -> World:
    """Run a world from its seed to its end, and return it for the oracle."""
    logging.disable(logging.CRITICAL)
    loop = VirtualLoop()
    try:
        world = World(seed, loop, faults, **shape)
        loop.run_until_complete(world.run())
        return world
    finally:
        loop.close()
        logging.disable(logging.NOTSET)
