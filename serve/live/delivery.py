"""Where one socket stands in its user's stream: which turn may go out next. Pure: no I/O, no clock.

Subscribe first, read history second, drop `seq` <= last. A turn that comes while history is read is not kept: it only
raises the head that history must reach, so a socket that is far behind costs no memory.
"""

from enum import Enum


class HistoryGone(Exception):
    """The journal no longer has the turn that must come next."""


class Stage(Enum):
    """HOLDING: position not known yet. CATCHING_UP: history is being read. LIVE: the feed's next turn goes out."""

    HOLDING = "holding"
    CATCHING_UP = "catching up"
    LIVE = "live"


class Verdict(Enum):
    """What to do about a turn of the feed."""

    DELIVER = "deliver"
    IGNORE = "ignore"
    CATCH_UP = "catch up"


class Delivery:
    """Last turn handed to the socket, and the last one known to be committed."""

    __slots__ = ("head", "position", "stage")

    def __init__(self) -> None:
        self.stage = Stage.HOLDING
        self.position = 0
        self.head = 0

    def hold(self, position: int | None = None) -> None:
        """Nothing goes out until `begin`. `position`: what the client says it has, if less than it was sent."""
        self.stage = Stage.HOLDING
        if position is not None:
            self.position = max(0, min(self.position, position))

    @property
    def due(self) -> int:
        """The turn a client has once it has taken in all that was handed over: what it may check itself against.

        Turns still to be read from history are not in it, so that nobody asks for what is on its way.
        """
        return self.position

    def begin(self, position: int) -> None:
        """Go on after `position`, from history until the head is reached."""
        self.stage = Stage.CATCHING_UP
        self.position = position
        self.head = max(self.head, position)

    def offer(self, seq: int) -> Verdict:
        """Judge a turn of the feed; on DELIVER it counts as handed over."""
        if self.stage is Stage.LIVE and seq == self.position + 1:
            self.position = seq
            if seq > self.head:
                self.head = seq
            return Verdict.DELIVER
        return self.learn(seq)

    def learn(self, head: int) -> Verdict:
        """Take note that turns up to `head` are committed; CATCH_UP when a live socket has missed some."""
        self.head = max(self.head, head)
        if self.stage is not Stage.LIVE or self.head <= self.position:
            return Verdict.IGNORE
        self.stage = Stage.CATCHING_UP
        return Verdict.CATCH_UP

    def advance(self, seq: int) -> bool:
        """Take a turn of history; False for one that was handed over before. Raises `HistoryGone` on a hole."""
        if self.stage is not Stage.CATCHING_UP:
            raise RuntimeError(f"history only when catching up, not when {self.stage.value}")
        if seq <= self.position:
            return False
        if seq != self.position + 1:
            raise HistoryGone(f"expected turn {self.position + 1}, the journal gave {seq}")
        self.position = seq
        self.head = max(self.head, seq)
        return True

    def do_without(self, announced: int) -> None:
        """Go live where a snapshot left it: the turns up to `announced` are not to be had. A later one is still read.

        Else a journal that lost its end (restored, or fallen back to a replica) would be asked for it for ever.
        """
        if self.stage is Stage.CATCHING_UP and self.head <= announced:
            self.stage = Stage.LIVE

    def reached_head(self) -> bool:
        """Whether history is done; if so the socket is live from here."""
        if self.stage is Stage.CATCHING_UP and self.position >= self.head:
            self.stage = Stage.LIVE
        return self.stage is Stage.LIVE
