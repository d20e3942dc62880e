"""What waits to go out on a socket that does not keep up, and the policy for when it grows. No tasks, no I/O.

An EVENT (turn, receipt, error, expiring, hello, ready, reset) is never dropped: a backlog that would overflow, or a
send that stalls, ends the socket with 4108; its turns are in the journal, and the client resumes. Of a STATE
(heartbeat, snapshot) only the newest matters: it goes to the end, and the same state that still waits is taken out,
unless turns that build on it wait behind it. A heartbeat that finds no room is left out: the socket has other news.
"""

from collections import deque
from enum import Enum

from serve.live.limits import Limits


class Kind(Enum):
    """What the policy needs to know of a text. The first two are events, the others states."""

    EVENT = "event"
    TURN = "turn"
    HEARTBEAT = "heartbeat"
    SNAPSHOT = "snapshot"


class Backlog:
    """The texts that wait on one socket, oldest first."""

    __slots__ = ("_limits", "_queue", "_size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[tuple[Kind, str]] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, text: str, kind: Kind = Kind.EVENT) -> bool:
        """Queue a text; False, and nothing queued, when that would overflow. One text of any size always fits."""
        if kind in (Kind.HEARTBEAT, Kind.SNAPSHOT):
            self._take_out_older(kind)
        if self._overflows(text):
            return kind is Kind.HEARTBEAT
        self._queue.append((kind, text))
        self._size += len(text)
        return True

    def pop(self) -> str:
        """Take out the oldest."""
        _, text = self._queue.popleft()
        self._size -= len(text)
        return text

    @property
    def roomy(self) -> bool:
        """Whether less than half of it is used."""
        return len(self._queue) < self._limits.queue_frames_max // 2 and self._size < max(
            1, self._limits.queue_chars_max // 2
        )

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
