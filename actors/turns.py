"""What moves through a shard: calls, their items, and the batch that will be committed."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from msgspec import Struct, field

from actors.entity import Activation
from actors.journal import DueTimer, Snapshot, TurnWrite
from actors.messages import Envelope, Meta, Outcome, Problem
from actors.tracing import Story, story_of, within
from engine.behaviour import Turn


def unavailable(detail: str) -> Outcome:
    """Return the only outcome a client retries, with the same command id."""
    return Outcome("unavailable", problem=Problem("unavailable", detail))


def poisoned(detail: str) -> Outcome:
    """Return the outcome of a command that cannot be carried out because something in it breaks the turn."""
    return Outcome("refused", problem=Problem("poison", detail))


class Call:
    """One submit: its outcomes in order; `done` is set when the last is there."""

    __slots__ = ("_missing", "broken", "came_at", "done", "outcomes")

    def __init__(self, size: int, loop: AbstractEventLoop) -> None:
        self.outcomes: list[Outcome] = [None] * size  # type: ignore[list-item]  # all set before `done`
        self.came_at = perf_counter()
        self._missing = size
        self.done: Future[None] = loop.create_future()
        self.broken: set[str] = set()
        """Entities of which an envelope became `unavailable`: the later ones of this call must not overtake it."""
        if size == 0:
            self.done.set_result(None)

    def resolve(self, item: "Item", outcome: Outcome) -> None:
        """Set the outcome of one item, once."""
        self.outcomes[item.index] = outcome
        if outcome.status == "unavailable":
            self.broken.add(item.envelope.entity_id)
        self._missing -= 1
        if self._missing == 0 and not self.done.done():
            self.done.set_result(None)


class Item:
    """One envelope on its way through the shard."""

    __slots__ = (
        "answered",
        "call",
        "command",
        "envelope",
        "fires",
        "identities",
        "index",
        "input_hash",
        "meta",
        "needs",
        "size",
        "story",
    )

    def __init__(self, call: Call, index: int, envelope: Envelope, fires: DueTimer | None = None) -> None:
        self.fires = fires
        """The timer whose command this is."""
        self.call = call
        self.index = index
        self.envelope = envelope
        self.size = len(memoryview(envelope.body))
        self.command: Any = None
        self.input_hash = b""
        self.needs: Sequence[str] = ()
        self.identities: Sequence[tuple[str, str, str]] = ()
        self.answered = False
        self.meta = envelope.meta
        """What the turn is kept with: its place in a trace is its own."""
        self.story: Story | None = None

    def trace(self) -> None:
        """Begin to record what becomes of it, if it is one of those that are recorded."""
        self.story = story_of(self.envelope, "turn" if self.envelope.command_id else "read", "queue wait")
        if self.story is not None:
            self.meta = within(self.envelope, self.story.span.context).meta

    def resolve(self, outcome: Outcome) -> None:
        """Answer the envelope, once."""
        self.answered = True
        if self.story is not None:
            self.story.end(status=outcome.status, seq=outcome.seq, request_id=self.meta.request_id)
            self.story = None
        self.call.resolve(self, outcome)


class Twin(Struct, frozen=True, gc=False):
    """A command that was carried out but is not known to be committed, or was only just."""

    input_hash: bytes
    turn: Turn


class Batch(Struct):
    """Turns that are committed together, and all that waits for that commit."""

    writes: list[TurnWrite] = field(default_factory=list)
    made: list[tuple[Activation, Turn, Meta]] = field(default_factory=list)
    replies: list[tuple[Item, Outcome]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    twins: dict[tuple[str, str], Twin] = field(default_factory=dict)
    sealed: dict[tuple[str, str], bytes] = field(default_factory=dict)
    identified: dict[tuple[str, str, str, str], bytes] = field(default_factory=dict)
    """The same versions by (entity id, origin, source, external id)."""
    settled: bool = False

    def reply(self, outcome: Outcome | None = None) -> None:
        """Open the gate: give everyone the outcome that waited, or the same `outcome` to all."""
        for item, waited in self.replies:
            item.resolve(outcome or waited)

    @property
    def items(self) -> list[Item]:
        """Every envelope whose outcome rests on this batch, in order."""
        return [item for item, _ in self.replies]
