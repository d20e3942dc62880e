"""What one user's phone keeps between sockets, what it counts, and when it comes back.

Held against the contract of `docs/api.md`, "To lose nothing"; written apart from `serve.client`, so that a mistake in
the client does not hide one in the server.
"""

import random
from enum import Enum, auto

from msgspec import Struct, field

from loadtests.histogram import Histogram

NEVER_RETRY = range(4000, 4100)
BACK_OFF = range(4100, 4200)
RECONNECT_NOW = range(4200, 4300)
LOST = 1006
"""RFC 6455, 7.1.5: no close frame came."""


class Tally(Struct):
    """What a holder counted since it began. Goes through JSON as it is."""

    dialled: int = 0
    entered: int = 0
    """Times a socket was `ready`."""
    resumed: int = 0
    resets: int = 0
    """Times the server said that it cannot resume: what lay between is not pushed."""
    snapshots: int = 0
    turns: int = 0
    repeated: int = 0
    """Turns at or below the position: allowed, at least once is the promise."""
    out_of_order: int = 0
    """Turns beyond the next one: one before it was left out, or comes later."""
    asked_again: int = 0
    """Times a heartbeat's head was ahead, and the socket asked for the rest."""
    dead_lines: int = 0
    """Sockets given up because nothing came for two heartbeats and a half."""
    slow_entries: int = 0
    """Sockets given up because they were not `ready` in time."""
    refused: dict[str, int] = field(default_factory=dict)
    """Upgrades by what they met: the status that was no 101, or the error's name."""
    closed: dict[str, int] = field(default_factory=dict)
    """Sockets the server or the line ended, by close code."""
    protocol_errors: list[str] = field(default_factory=list)
    """At most 20 of them, in words."""
    protocol_errors_count: int = 0
    bytes_in: int = 0
    measure_from_ns: int = 0
    """Events that were due before are not in `push`."""
    push: Histogram = field(default_factory=Histogram)
    """From the moment an event was due to the arrival of its turn, on a socket that was open all the while."""
    caught_up: Histogram = field(default_factory=Histogram)
    """The same of events that were due while the socket was away, or did not read."""
    entry: Histogram = field(default_factory=Histogram)
    """From dialling to `ready`."""
    back: Histogram = field(default_factory=Histogram)
    """From losing a socket to `ready` on the next, waiting included."""
    stalls: Histogram = field(default_factory=Histogram)
    """How late the holder's own loop was: what of `push` is the holder's fault."""

    def wrong(self, what: str) -> None:
        """Count something the protocol does not allow."""
        self.protocol_errors_count += 1
        if len(self.protocol_errors) < 20:
            self.protocol_errors.append(what)


def count(counts: dict[str, int], name: object) -> None:
    """Add one to a named count."""
    counts[str(name)] = counts.get(str(name), 0) + 1


class Verdict(Enum):
    """What a turn is to a listener."""

    NEXT = auto()
    REPEATED = auto()
    OUT_OF_ORDER = auto()


class Position:
    """How far one listener has seen: `start` is where its first snapshot stood, `seq` the last turn of a dense row."""

    __slots__ = ("epoch", "seq", "start")

    def __init__(self) -> None:
        self.epoch = ""
        self.start = -1
        self.seq = -1

    @property
    def is_known(self) -> bool:
        """Whether a snapshot or a resume has said where it stands."""
        return self.seq >= 0

    def begin(self, seq: int) -> None:
        """Take a snapshot's `seq`: what follows counts from there."""
        self.start = self.seq = seq

    def take(self, seq: int) -> Verdict:
        """Judge a turn, and move on when it is the next. After one out of order the position stays."""
        if seq <= self.seq:
            return Verdict.REPEATED
        if seq != self.seq + 1:
            return Verdict.OUT_OF_ORDER
        self.seq = seq
        return Verdict.NEXT


def wait_before_next_s(code: int, tries: int, rng: random.Random) -> float | None:
    """Return seconds until the next try after a close code, None for never. Full jitter, doubling from 0.5 to 10 s."""
    if code in NEVER_RETRY or code == 1008:
        return None
    if code in RECONNECT_NOW:
        return rng.uniform(0.0, 2.0)
    return rng.uniform(0.0, min(10.0, 0.5 * 2.0 ** min(tries, 6)))
