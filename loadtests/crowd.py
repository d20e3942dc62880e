"""Thousands of listeners in one process: opened at a rate, dropped in storms, brought to what was acknowledged."""

import asyncio
import random
import ssl
import time
from asyncio import TimerHandle
from collections.abc import Callable, Mapping
from typing import TextIO
from urllib.parse import urlsplit

from msgspec import Struct

from loadtests.frames import upgrade
from loadtests.held_socket import HeldSocket, State
from loadtests.lines import Weather
from loadtests.listener import Listener
from loadtests.listening import Tally
from loadtests.turns import Turn

SUBPROTOCOL = "boond.v1"
PATH = "/api/v1/live"
_GRAIN_S = 0.02
_WATCH_S = 0.05
_DEAD_CHECK_S = 5.0
_HEARTBEATS_MISSED = 2.5
_ENTRY_S = 30.0
_DIALS_MAX = 500
"""Connections being made at once; others wait their turn."""


class Holding(Struct, frozen=True, kw_only=True):
    """Where to open sockets, for whom, and how their lines are."""

    url: str
    """Base URL, `http://host:port`; or a whole `ws://host:port/path`."""
    tokens: tuple[tuple[str, str], ...]
    """User and access token; sockets take them in turn."""
    weather: Weather = Weather()
    seed: int = 1


class Storm(Struct, frozen=True):
    """A forced reconnect: sockets dropped at once, those back, seconds until the last was `ready`, the jitter in it."""

    dropped: int
    returned: int
    seconds: float
    jitter_s: float


class Crowd:
    """The listeners of one holder. Use it inside a running loop: `start`, `open` ..., `close`."""

    def __init__(self, holding: Holding, log: TextIO | None = None) -> None:
        parts = urlsplit(holding.url)
        self._host, self._netloc = parts.hostname or "127.0.0.1", parts.netloc
        self._tls = parts.scheme in ("https", "wss")
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path if parts.scheme in ("ws", "wss") and parts.path else PATH
        self.holding = holding
        self.weather = holding.weather
        self.tally = Tally()
        self.rng = random.Random(holding.seed)
        self.listeners: list[Listener] = []
        self.is_calm = False
        self._is_closing = False
        self._log = log
        self._dials: set[asyncio.Task[None]] = set()
        self._zombies: set[HeldSocket] = set()
        self._gate = asyncio.Semaphore(_DIALS_MAX)
        self._watch: asyncio.Task[None] | None = None

    @property
    def open_count(self) -> int:
        """How many listeners are `ready` now."""
        return sum(listener.is_open for listener in self.listeners)

    async def open(self, sockets: int, per_s: float, within_s: float = 60.0) -> int:
        """Add so many listeners at a rate; return how many have been `ready`, at the latest `within_s` after."""
        self._watch = self._watch or asyncio.create_task(self._keep_watch())
        lines = self.weather.lines(sockets, self.rng)
        began, first = time.monotonic(), len(self.listeners)
        for number, line in enumerate(lines):
            if (early_s := began + number / per_s - time.monotonic()) > _GRAIN_S:
                await asyncio.sleep(early_s)
            user, token = self.holding.tokens[(first + number) % len(self.holding.tokens)]
            listener = Listener(self, first + number, user, token, line)
            self.listeners.append(listener)
            listener.dial()
        added = self.listeners[first:]
        await self._until(lambda: all(listener.entries for listener in added), within_s)
        return sum(listener.entries > 0 for listener in added)

    async def storm(self, sockets: int, jitter_s: float = 2.0, within_s: float = 60.0) -> Storm:
        """Reset so many lines in one go; each comes back after 0 to `jitter_s` seconds, as a client does after 4200."""
        there = [listener for listener in self.listeners if listener.is_open]
        hit = self.rng.sample(there, min(sockets, len(there)))
        before = {listener: listener.entries for listener in hit}
        began = time.monotonic()
        for listener in hit:
            listener.drop(self.rng.uniform(0.0, jitter_s))
        await self._until(lambda: all(listener.entries > entries for listener, entries in before.items()), within_s)
        seconds = time.monotonic() - began
        returned = sum(listener.entries > entries for listener, entries in before.items())
        return Storm(len(hit), returned, round(seconds, 3), jitter_s)

    async def settle(self, targets: Mapping[str, int], within_s: float) -> int:
        """End all misbehaviour and wait until each is open and has seen its user's target; return how many have not."""
        self.is_calm = True
        for listener in self.listeners:
            listener.catch_up()

        def behind(listener: Listener) -> bool:
            return not listener.is_open or listener.position.seq < targets.get(listener.user, 0)

        await self._until(lambda: not any(map(behind, self.listeners)), within_s)
        return sum(map(behind, self.listeners))

    async def close(self) -> None:
        """Leave every socket politely and stop."""
        self._is_closing = True
        for listener in self.listeners:
            listener.rest()
            if listener.socket is not None:
                listener.socket.leave()
        for zombie in tuple(self._zombies):
            zombie.reset()
        for task in [*self._dials, *([self._watch] if self._watch else [])]:
            task.cancel()
        await asyncio.gather(*self._dials, *([self._watch] if self._watch else []), return_exceptions=True)
        await asyncio.sleep(_GRAIN_S)

    def dial(self, listener: Listener) -> None:
        """Open a socket for a listener; a failure is a loss like any other."""
        if not self._is_closing:
            task = asyncio.create_task(self._connect(listener))
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    def later(self, wait_s: float, act: Callable[[], None]) -> TimerHandle:
        """Do something in so many seconds."""
        return asyncio.get_running_loop().call_later(wait_s, act)

    def bury(self, zombie: HeldSocket, after_s: float) -> None:
        """Reset a half-open socket in so many seconds, or when the crowd closes."""

        def end() -> None:
            self._zombies.discard(zombie)
            zombie.reset()

        self._zombies.add(zombie)
        self.later(after_s, end)

    def note(self, listener: Listener, turn: Turn) -> None:
        """Write a turn down for the reconciliation: index, seq, external id or `-`."""
        if self._log is not None:
            self._log.write(f"{listener.index} {turn.seq} {turn.external_id or '-'}\n")

    async def _connect(self, listener: Listener) -> None:
        request, accept = upgrade(self._netloc, self._path, SUBPROTOCOL)
        socket = HeldSocket(listener, request, accept)
        listener.socket = socket
        self.tally.dialled += 1
        context = ssl.create_default_context() if self._tls else None
        try:
            async with self._gate:
                await asyncio.get_running_loop().create_connection(lambda: socket, self._host, self._port, ssl=context)
        except OSError as error:
            listener.on_unreachable(error)

    async def _until(self, is_so: Callable[[], bool], within_s: float) -> None:
        give_up = time.monotonic() + within_s
        while not is_so() and time.monotonic() < give_up:
            await asyncio.sleep(_GRAIN_S)

    async def _keep_watch(self) -> None:
        """Measure how late this loop is, and give up lines that are dead."""
        check_at = time.monotonic() + _DEAD_CHECK_S
        while True:
            before = time.monotonic()
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            self.tally.stalls.add_ns(int((now - before - _WATCH_S) * 1e9))
            if now >= check_at:
                check_at = now + _DEAD_CHECK_S
                for listener in self.listeners:
                    self._examine(listener, now)

    def _examine(self, listener: Listener, now: float) -> None:
        socket = listener.socket
        if socket is None or socket.is_paused:
            return
        if socket.state is State.OPEN:
            if now - socket.heard_at > _HEARTBEATS_MISSED * socket.heartbeat_s:
                self.tally.dead_lines += 1
                listener.drop(0.0)
        elif socket.state is not State.CLOSED and now - listener.dialled_at > _ENTRY_S:
            self.tally.slow_entries += 1
            listener.drop(self.rng.uniform(0.0, 2.0))
