"""The line of sockets that enter: each reads head, history or overview, so a storm of them is let in a few at a time.

In order, and one line a shard: those who wait for a shard that is down stop nobody else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serve.live.limits import Limits


class LineFull(Exception):
    """More sockets wait to enter than may; the message is shown to the client."""


class Entrance:
    """The lines of one gateway."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines: dict[int, asyncio.Semaphore] = {}
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, shard: int) -> AsyncIterator[None]:
        """Wait for one's turn to enter, and keep it while in the block. Raises `LineFull` at once."""
        line = self._lines.get(shard)
        if line is None:
            line = self._lines[shard] = asyncio.Semaphore(self._limits.entering_at_once_max)
        await self._wait(line)
        try:
            yield
        finally:
            line.release()

    async def _wait(self, line: asyncio.Semaphore) -> None:
        if line.locked() and self._waiting >= self._limits.entering_line_max:
            raise LineFull(f"{self._waiting} sockets wait to enter; come back")
        self._waiting += 1
        try:
            await line.acquire()
        finally:
            self._waiting -= 1
