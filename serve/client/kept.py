"""What the asyncio and the blocking client have in common: what they keep of a stream, and how they end."""

from random import Random

from serve.client.actions import Action, Fail, Retry
from serve.client.errors import Closed, StreamReset
from serve.client.frames import Names, Position, Snapshot, Turn
from serve.client.intake import Intake, Item
from serve.client.limits import Limits
from serve.client.stream import Stream


class Dropped(Exception):
    """We end the line; the text says why."""


class Kept:
    """A stream and what was read of it."""

    def __init__(self, resume: Position | None, names: Names, limits: Limits, chance: Random) -> None:
        self._resume, self._names, self._limits, self._chance = resume, names, limits, chance
        self._intake = Intake(limits, resume)
        self._stream = self._new_stream(0.0)
        self._entered = False
        self._failure: BaseException | None = Closed("not entered: use `with connect(...) as live`")

    @property
    def position(self) -> Position | None:
        """Of the last item the iteration gave. Store it once that item is dealt with, and `resume` from it."""
        return self._intake.position

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest overview; None when the stream was resumed and never reset."""
        return self._intake.snapshot

    @property
    def resets(self) -> int:
        """How often a snapshot took the place of turns that cannot be replayed."""
        return self._intake.resets

    @property
    def reconnects(self) -> int:
        """How often the stream came back after its line was lost."""
        return max(0, self._stream.opens - 1)

    def _begin(self, now: float) -> None:
        """Enter, once."""
        if self._entered:
            raise Closed("a stream is entered once: call connect again, with `resume`")
        self._entered, self._failure = True, None
        self._stream = self._new_stream(now)

    def _new_stream(self, now: float) -> Stream:
        return Stream(self._limits, self._chance, now, self._resume, self._names)


def turn_of(item: Item) -> Turn | None:
    """Return a turn, None for the snapshot that a stream begins with. Raises `StreamReset` for any other."""
    if isinstance(item, Turn):
        return item
    if item.reset:
        raise StreamReset(item)
    return None


def outcome(actions: list[Action]) -> Retry:
    """Return the retry that a lost line leads to; raises what it fails with."""
    match actions:
        case [Retry() as retry]:
            return retry
        case [Fail(error=error)]:
            raise error
        case _:
            raise Closed("the stream has ended")
