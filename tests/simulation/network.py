"""The way from a client to the shards: slow, lossy, and at times to the wrong one of two incarnations."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from actors.transport import TransportLost

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World


class Network:
    """`Transport` over the world's faults."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def submit(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.submit`."""
        return await self._call(shard, lambda process: process.submit(blob))

    async def pull(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.pull`."""
        return await self._call(shard, lambda process: process.pull(blob))

    async def _call(self, shard: int, work: "Callable[[Process], Coroutine[Any, Any, bytes]]") -> bytes:
        world = self._world
        await asyncio.sleep(world.hop())
        process = world.route(shard)
        if process is None or world.chance(world.faults.request_lost):
            await asyncio.sleep(world.hop())
            raise TransportLost(f"shard {shard} does not answer")
        if world.chance(world.faults.delivered_twice):
            world.begin(self._again(shard, work, world.some(4.0)))
        answer = await self._answer(process, work)
        await asyncio.sleep(world.hop())
        if world.chance(world.faults.reply_lost):
            raise TransportLost(f"the answer of shard {shard} was lost")
        return answer

    async def _again(self, shard: int, work: "Callable[[Process], Coroutine[Any, Any, bytes]]", late_s: float) -> None:
        """The same call once more; nobody hears its answer."""
        await asyncio.sleep(late_s)
        process = self._world.route(shard)
        if process is not None:
            try:
                await self._answer(process, work)
            except TransportLost:
                return

    async def _answer(self, process: "Process", work: "Callable[[Process], Coroutine[Any, Any, bytes]]") -> bytes:
        """A caller that gives up ends nothing: what was sent is carried out, if only when the process wakes."""
        answering = self._world.spawn(work(process))
        dying = self._world.spawn(process.dead.wait())
        dying.add_done_callback(lambda _: answering.cancel())
        answering.add_done_callback(lambda _: dying.cancel())
        await asyncio.wait({answering})
        if answering.cancelled():
            raise TransportLost(f"{process.name} died")
        return answering.result()
