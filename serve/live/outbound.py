"""The way out of one socket. While the peer keeps up, a text goes to its wire at once, and nothing is kept for it.

A text that would have to wait begins a backlog with a writer task of its own, so that a slow socket blocks nobody else;
both are gone once the backlog is out. Of thousands of sockets few have one. Its policy is in `serve/live/backlog.py`.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from serve.live.backlog import Backlog, Kind
from serve.live.limits import Limits
from serve.live.ports import Clock


class Disconnected(Exception):
    """The peer is gone; nothing more can be sent or received. `code` is the close code, where there was one."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class Wire(Protocol):
    """A socket as the gateway sees it."""

    async def receive(self) -> str | bytes:
        """Return the next inbound message; raises `Disconnected`."""

    @property
    def put(self) -> Callable[[str], bool]:
        """Send one text without waiting. False, and nothing sent, when it would have to wait, or cannot be known."""

    async def send(self, text: str) -> None:
        """Send one text; may wait for the peer to read. Raises `Disconnected`."""

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; may wait as `send` does. Raises `Disconnected`."""


class _Writing:
    """A backlog under way."""

    __slots__ = ("backlog", "room", "since", "task")

    def __init__(self, limits: Limits) -> None:
        self.backlog = Backlog(limits)
        self.room = asyncio.Event()
        self.room.set()
        self.since: float | None = None
        self.task: asyncio.Task[None] | None = None


class Outbound:
    """What a socket is told, in order. `out` is called once it has ended and all is out, or when the peer is gone."""

    __slots__ = ("_clock", "_ending", "_limits", "_out", "_wire", "_writing")

    def __init__(self, wire: Wire, limits: Limits, clock: Clock, out: Callable[[], None]) -> None:
        self._wire, self._limits, self._clock, self._out = wire, limits, clock, out
        self._ending = False
        self._writing: _Writing | None = None

    def __len__(self) -> int:
        return len(self._writing.backlog) if self._writing is not None else 0

    @property
    def waits(self) -> bool:
        """Whether a text is under way."""
        return self._writing is not None

    def offer(self, text: str, kind: Kind = Kind.EVENT) -> bool:
        """Send a text, or queue it; False, and neither done, after `end` or when the backlog would overflow."""
        if self._ending:
            return False
        writing = self._writing
        if writing is None:
            if self._wire.put(text):
                return True
            writing = self._writing = _Writing(self._limits)
            writing.task = asyncio.create_task(self._write(writing))
        taken = writing.backlog.offer(text, kind)
        if not writing.backlog.roomy:
            writing.room.clear()
        return taken

    async def room(self) -> None:
        """Wait until less than half of the backlog is used: how a replay keeps the pace of its reader."""
        if self._writing is not None:
            await self._writing.room.wait()

    def stalled(self) -> bool:
        """Whether the send under way takes longer than a socket may."""
        since = self._writing.since if self._writing is not None else None
        return since is not None and self._clock.monotonic() - since > self._limits.stall_s

    def end(self) -> None:
        """Take nothing more."""
        if not self._ending:
            self._ending = True
            if self._writing is None:
                self._out()

    def abandon(self) -> None:
        """Take nothing more, and let go of what waits."""
        if self._drop():
            self._ending = True
            self._out()
        else:
            self.end()

    def release(self) -> None:
        """Let go of what waits, and tell nobody."""
        self._ending = True
        self._drop()

    def _drop(self) -> bool:
        writing, self._writing = self._writing, None
        if writing is None:
            return False
        writing.room.set()
        if writing.task is not None:
            writing.task.cancel()
        return True

    async def _write(self, writing: _Writing) -> None:
        try:
            while len(writing.backlog):
                text = writing.backlog.pop()
                writing.since = self._clock.monotonic()
                await self._wire.send(text)
                writing.since = None
                if writing.backlog.roomy:
                    writing.room.set()
        except Disconnected:
            self._ending = True
        self._writing = None
        writing.room.set()
        if self._ending:
            self._out()
