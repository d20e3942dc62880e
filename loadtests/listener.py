"""One user's phone inside a holder: a position, the socket it has at the moment, and the line that socket is on."""

import json
import random
import time
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Protocol

from loadtests.held_socket import HeldSocket, State
from loadtests.lines import Line, Weather
from loadtests.listening import Position, Tally, count, wait_before_next_s
from loadtests.turns import Turn


class Home(Protocol):
    """What a listener needs of the crowd it stands in."""

    tally: Tally
    rng: random.Random
    weather: Weather
    is_calm: bool

    def dial(self, listener: "Listener") -> None:
        """Have a socket opened for it; nothing while the crowd is closing."""

    def later(self, wait_s: float, act: Callable[[], None]) -> TimerHandle:
        """Do something in so many seconds."""

    def bury(self, zombie: HeldSocket, after_s: float) -> None:
        """Reset a half-open socket in so many seconds, or when the crowd closes."""

    def note(self, listener: "Listener", turn: Turn) -> None:
        """Write a turn down for the reconciliation."""


class Listener:
    """Dials, loses its socket, comes back as the contract says. It has at most one socket that counts."""

    __slots__ = (
        "_home", "_lost_at", "_timer", "dialled_at", "entries", "index", "line", "position", "socket", "tally",
        "token", "tries", "user",
    )  # fmt: skip

    def __init__(self, home: Home, index: int, user: str, token: str, line: Line) -> None:
        self.index, self.user, self.token, self.line = index, user, token, line
        self.position = Position()
        self.tally = home.tally
        self.tries = 0
        self.entries = 0
        self.dialled_at = 0.0
        self.socket: HeldSocket | None = None
        self._home = home
        self._lost_at = 0.0
        self._timer: TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether its socket is `ready` and it knows where it stands."""
        return self.socket is not None and self.socket.state is State.OPEN

    def auth(self) -> bytes:
        """Return the `auth` frame: with a position, once it has one."""
        said: dict[str, object] = {"t": "auth", "token": self.token}
        if self.position.is_known:
            said["resume"] = {"epoch": self.position.epoch, "seq": self.position.seq}
        return json.dumps(said, separators=(",", ":")).encode()

    def on_open(self) -> None:
        """Count how long it took, since dialling and since the loss of the last socket."""
        now = time.monotonic()
        self.tries = 0
        self.entries += 1
        self.tally.entry.add_ns(int((now - self.dialled_at) * 1e9))
        if self._lost_at:
            self.tally.back.add_ns(int((now - self._lost_at) * 1e9))
            self._lost_at = 0.0
        if self.line is not Line.GOOD:
            self._in(self._home.rng.expovariate(1.0 / self._home.weather.every_s), self._misbehave)

    def on_turn(self, turn: Turn) -> None:
        """Write it down for the reconciliation."""
        self._home.note(self, turn)

    def on_closed(self, socket: HeldSocket, code: int) -> None:
        """Come back as the contract says, if it does. The end of a socket left behind means nothing."""
        if socket is self.socket:
            if code:
                count(self.tally.closed, code)
            self.lose(wait_before_next_s(code, self.tries, self._home.rng))

    def on_unreachable(self, error: OSError) -> None:
        """No connection could be made: back off."""
        count(self.tally.refused, type(error).__name__)
        self.lose(wait_before_next_s(0, self.tries, self._home.rng))

    def lose(self, wait_s: float | None) -> None:
        """Be without a socket from now on, and dial again after so many seconds; None: never."""
        self.socket = None
        self.tries += 1
        self._lost_at = self._lost_at or time.monotonic()
        if wait_s is not None:
            self._in(wait_s, self.dial)

    def drop(self, wait_s: float) -> None:
        """Reset the line as a dead spot does, and dial again after so many seconds."""
        if self.socket is not None:
            self.socket.reset()
        self.lose(wait_s)

    def dial(self) -> None:
        """Have a socket opened."""
        self.dialled_at = time.monotonic()
        self._home.dial(self)

    def rest(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _in(self, wait_s: float, act: Callable[[], None]) -> None:
        self.rest()
        self._timer = self._home.later(wait_s, act)

    def _misbehave(self) -> None:
        if self.socket is None or not self.is_open or self._home.is_calm:
            return
        away_s = self._home.rng.uniform(*self._home.weather.away_s)
        if self.line is Line.GOES:
            self.socket.leave()
            self.lose(away_s)
        elif self.line is Line.RESETS:
            self.drop(0.0)
        elif self.line is Line.LAGS:
            self.socket.read(on=False)
            self._in(self._home.rng.uniform(*self._home.weather.lag_s), self.catch_up)
        elif self.line is Line.SILENT:
            zombie = self.socket
            zombie.fall_silent()
            self._home.bury(zombie, self._home.weather.half_open_s)
            self.lose(0.0)

    def catch_up(self) -> None:
        """Read again, after a lag."""
        if self.socket is not None:
            self.socket.read(on=True)
            if self.is_open and self.line is Line.LAGS:
                self._in(self._home.rng.expovariate(1.0 / self._home.weather.every_s), self._misbehave)
