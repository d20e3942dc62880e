"""What a client says it has taken in: how many turns it still owes, and how long the last acked one took.

Only for measures; delivery never depends on it. A socket whose client never acks keeps nothing.
"""

from collections import deque


class AckBeyondHead(ValueError):
    """The client acks a turn that was never committed; the message says which, and the head."""


class Acks:
    """The acks of one socket, in order: an ack holds for every turn up to its `seq`."""

    __slots__ = ("_sent", "_tracked_max", "acked")

    def __init__(self, tracked_max: int) -> None:
        self.acked: int | None = None
        """The highest ack; None before the first."""
        self._tracked_max = tracked_max
        self._sent: deque[tuple[int, float]] | None = None

    def sent(self, seq: int, at: float) -> None:
        """Remember when a turn was handed to the socket, once its client has shown that it acks."""
        if self._sent is not None and (not self._sent or seq > self._sent[-1][0]):
            self._sent.append((seq, at))

    def ack(self, seq: int, head: int, at: float) -> float | None:
        """Take an ack; returns the seconds from the turn's sending to it, None when that was not measured.

        Raises `AckBeyondHead`.
        """
        if seq > head:
            raise AckBeyondHead(f"ack of turn {seq}, but the last committed one is {head}")
        self.acked = seq if self.acked is None else max(self.acked, seq)
        sent_at = None
        if self._sent is None:
            self._sent = deque(maxlen=self._tracked_max)
        while self._sent and self._sent[0][0] <= seq:
            last, when = self._sent.popleft()
            sent_at = when if last == seq else None
        return None if sent_at is None else at - sent_at

    def unacknowledged(self, position: int) -> int:
        """Return how many turns handed to the socket are not acked; 0 for a client that never acks."""
        return 0 if self.acked is None else max(0, position - self.acked)
