"""What was read and not taken yet, bounded; and how far the application has taken it."""

from collections import deque

from serve.client.frames import Position, Snapshot, Turn
from serve.client.limits import Limits

Item = Turn | Snapshot


class Intake:
    """A queue of items. `position` and `snapshot` are of what was handed out, so a stored position skips nothing."""

    def __init__(self, limits: Limits, resume: Position | None) -> None:
        self._limits = limits
        self._queue: deque[tuple[Item, str]] = deque()
        self.position = resume
        self.snapshot: Snapshot | None = None
        self.resets = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether a turn has no place."""
        return len(self._queue) >= self._limits.queue_turns_max

    @property
    def nearly_roomy(self) -> bool:
        """Whether at most half of the places are taken once the next item is."""
        return len(self._queue) - 1 <= self._limits.queue_turns_max // 2

    def put(self, item: Item, epoch: str) -> None:
        """Keep an item of this stream."""
        self._queue.append((item, epoch))

    def look(self) -> None:
        """Show a snapshot that nobody has taken yet: the one the stream begins with."""
        if self._queue and isinstance(self._queue[0][0], Snapshot):
            self._note(*self._queue[0])

    def take(self) -> Item:
        """Hand out the next item. Raises `IndexError` when there is none."""
        item, epoch = self._queue.popleft()
        self._note(item, epoch)
        if isinstance(item, Snapshot):
            self.resets += item.reset
        return item

    def _note(self, item: Item, epoch: str) -> None:
        self.position = Position(epoch, item.seq)
        if isinstance(item, Snapshot):
            self.snapshot = item
