"""What waits to go out on one socket: bounded, and written by one task, so that a slow socket blocks nobody else.

Policy. An EVENT (turn, receipt, error, expiring, hello, ready, reset) is never dropped: a queue that would overflow, or
a send that stalls, ends the socket with 4108; its turns are in the journal, and the client resumes. Of a STATE
(heartbeat, snapshot) only the newest matters: it goes to the end, and the same state that still waits is taken out,
unless turns that build on it wait behind it. A heartbeat that finds no room is left out: the socket has other news.
"""

import asyncio
from collections import deque
from enum import Enum
from typing import Protocol

from serve.live.limits import Limits
from serve.live.ports import Clock


class Disconnected(Exception):
    """The peer is gone; nothing more can be sent or received."""


class Kind(Enum):
    """What the policy needs to know of a text. The first two are events, the others states."""

    EVENT = "event"
    TURN = "turn"
    HEARTBEAT = "heartbeat"
    SNAPSHOT = "snapshot"


class Wire(Protocol):
    """A socket as the gateway sees it."""

    async def receive(self) -> str | bytes:
        """Return the next inbound message; raises `Disconnected`."""

    async def send(self, text: str) -> None:
        """Send one text; may wait for the peer to read. Raises `Disconnected`."""

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; may wait as `send` does. Raises `Disconnected`."""


class Outbound:
    """The queue of one socket and its writer."""

    def __init__(self, wire: Wire, limits: Limits, clock: Clock) -> None:
        self._wire, self._limits, self._clock = wire, limits, clock
        self._queue: deque[tuple[Kind, str]] = deque()
        self._size = 0
        self._ending = False
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._sending_since: float | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, text: str, kind: Kind = Kind.EVENT) -> bool:
        """Queue a text; False, and nothing queued, when that would overflow. One text of any size always fits."""
        if self._ending:
            return False
        if kind in (Kind.HEARTBEAT, Kind.SNAPSHOT):
            self._take_out_older(kind)
        if self._overflows(text):
            return kind is Kind.HEARTBEAT
        self._queue.append((kind, text))
        self._size += len(text)
        if not self._roomy:
            self._room.clear()
        self._news.set()
        return True

    async def room(self) -> None:
        """Wait until less than half of the queue is used: how a replay keeps the pace of its reader."""
        await self._room.wait()

    def stalled(self) -> bool:
        """Whether the send under way takes longer than a socket may."""
        since = self._sending_since
        return since is not None and self._clock.monotonic() - since > self._limits.stall_s

    def end(self) -> None:
        """Take nothing more; the writer returns when the queue is out."""
        self._ending = True
        self._news.set()

    async def write(self) -> None:
        """Write until `end`, or until the peer is gone."""
        try:
            while await self._next():
                _, text = self._queue.popleft()
                self._size -= len(text)
                self._sending_since = self._clock.monotonic()
                await self._wire.send(text)
                self._sending_since = None
                if self._roomy:
                    self._room.set()
        except Disconnected:
            return

    async def _next(self) -> bool:
        while not self._queue:
            if self._ending:
                return False
            self._news.clear()
            await self._news.wait()
        return True

    def _overflows(self, text: str) -> bool:
        full = len(self._queue) >= self._limits.queue_frames_max
        return full or (bool(self._queue) and self._size + len(text) > self._limits.queue_chars_max)

    def _take_out_older(self, kind: Kind) -> None:
        for index in range(len(self._queue) - 1, -1, -1):
            queued, text = self._queue[index]
            if queued is kind:
                del self._queue[index]
                self._size -= len(text)
                return
            if kind is Kind.SNAPSHOT and queued is Kind.TURN:
                return

    @property
    def _roomy(self) -> bool:
        return len(self._queue) < self._limits.queue_frames_max // 2 and self._size < max(
            1, self._limits.queue_chars_max // 2
        )
