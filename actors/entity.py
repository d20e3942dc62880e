"""One activation of a virtual actor: its state, its place in the journal, and the turn."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

from actors import chain, codec
from actors.journal import DueTimer, JournalRow, Snapshot, StoredTurn, TurnWrite
from actors.slots import slot_of
from engine.behaviour import Behaviour, Context, Decision, Facts, Refused, Turn


class Lifecycle(Enum):
    """Where an activation stands."""

    ACTIVATING = "activating"
    ACTIVE = "active"
    PASSIVATING = "passivating"
    """Takes no turn any more; what is uncommitted may still commit. Its messages wait for the next activation."""
    GONE = "gone"


_NEXT = {
    Lifecycle.ACTIVATING: {Lifecycle.ACTIVE, Lifecycle.GONE},
    Lifecycle.ACTIVE: {Lifecycle.PASSIVATING, Lifecycle.GONE},
    Lifecycle.PASSIVATING: {Lifecycle.GONE},
    Lifecycle.GONE: set(),
}


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class WrongLifecycle(Exception):
    """An activation was asked for something its place in life does not allow: an error of the runtime."""


class Gate(Protocol):
    """A batch, as an activation knows it: what must not leave before the batch is committed."""

    replies: list[Any]


class Decided(Struct, frozen=True):
    """A turn that is decided and applied, but not committed."""

    turn: Turn
    write: TurnWrite
    answer: bytes


class Activation:
    """A virtual actor in memory. Only its shard touches it, one turn at a time."""

    __slots__ = (
        "at",
        "behaviour",
        "chain",
        "committed",
        "entity_id",
        "lifecycle",
        "opened",
        "pending",
        "seq",
        "slot",
        "snapshot_seq",
        "state",
        "used_at",
    )

    def __init__(self, behaviour: Behaviour, entity_id: str, used_at: datetime) -> None:
        self.behaviour = behaviour
        self.entity_id = entity_id
        self.slot = slot_of(entity_id)
        self.lifecycle = Lifecycle.ACTIVATING
        self.state: Any = None
        self.seq = 0
        self.committed = 0
        self.snapshot_seq = 0
        self.chain = chain.genesis(entity_id)
        self.opened = False
        self.pending: Gate | None = None
        """The batch of the last uncommitted turn; None when all is committed."""
        self.used_at = used_at
        self.at = _LONG_AGO
        """When the last turn was decided: the time of an entity never goes back, whatever the clock does."""

    def enter(self, lifecycle: Lifecycle) -> None:
        """Go on to the next place in life. Raises `WrongLifecycle`."""
        if lifecycle not in _NEXT[self.lifecycle]:
            allowed = ", ".join(sorted(after.value for after in _NEXT[self.lifecycle])) or "nothing"
            raise WrongLifecycle(
                f"{self.entity_id} is {self.lifecycle.value}: after it comes {allowed}, not {lifecycle.value}"
            )
        self.lifecycle = lifecycle

    def activate(self, snapshot: Snapshot | None, tail: Sequence[StoredTurn]) -> None:
        """Rebuild the state: the snapshot if there is one, then every later turn, whose chain is checked.

        Raises `chain.BrokenChain`, `codec.UnknownCodec` and whatever the behaviour raises on what it cannot read.
        """
        behaviour = self.behaviour
        if snapshot is None:
            self.state = behaviour.initial(self.entity_id)
        else:
            self.state = behaviour.decode_state(codec.unpack(snapshot.body).tobytes())
            self.seq, self.chain = snapshot.seq, snapshot.chain
            self.snapshot_seq = snapshot.seq
            self.at = snapshot.at
        self.chain = chain.verify(self.entity_id, tail, chain=self.chain, seq=self.seq)
        for stored in tail:
            for event in behaviour.decode_turn(codec.unpack(stored.body))[0]:
                behaviour.evolve(self.state, event)
        if tail:
            self.at = tail[-1].at
        self.seq += len(tail)
        self.committed = self.seq
        self.enter(Lifecycle.ACTIVE)

    def decide(
        self,
        command: Any,
        facts: Facts,
        at: datetime,
        new_id: Callable[[], str],
        *,
        final: bool = False,
    ) -> tuple[Turn, bytes]:
        """Decide a command; return the turn and its stored body. Changes nothing.

        Raises `Refused`; when it is `final`, the refusal is a turn without events.
        """
        behaviour = self.behaviour
        context = Context(at, self.seq + 1, new_id, behaviour.predict(command), behaviour.outside)
        try:
            decision = behaviour.decide(self.state, command, facts, context)
        except Refused as refused:
            if not final:
                raise
            decision = Decision([], behaviour.decline(refused))
        turn = Turn(self.entity_id, self.seq + 1, at, decision.events, decision.result, decision.outbox)
        return turn, codec.pack(behaviour.encode_turn(decision.events, decision.result))

    def prepare(
        self,
        turn: Turn,
        body: bytes,
        command_id: str,
        input_hash: bytes,
        meta: bytes,
        fired: DueTimer | None = None,
    ) -> Decided:
        """Return all that a decided turn writes and answers. Changes nothing."""
        behaviour = self.behaviour
        digest = chain.link(self.chain, turn.seq, command_id, body)
        row = JournalRow(self.slot, self.entity_id, turn.seq, command_id, input_hash, turn.at, body, digest, meta)
        return Decided(turn, TurnWrite(row, behaviour.rows(turn), fired), behaviour.answer(turn))

    def apply(self, decided: Decided) -> None:
        """Evolve the state by a turn. When the behaviour raises, the state is damaged and must not be used again."""
        if self.lifecycle is not Lifecycle.ACTIVE:
            raise WrongLifecycle(f"{self.entity_id} is {self.lifecycle.value} and takes no turn")
        try:
            for event in decided.turn.events:
                self.behaviour.evolve(self.state, event)
        except BaseException:
            self.enter(Lifecycle.PASSIVATING)
            raise
        self.seq = decided.turn.seq
        self.at = decided.turn.at
        self.chain = decided.write.row.chain

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the state as it is now; to be kept only when `seq` is committed."""
        behaviour = self.behaviour
        body = codec.pack(behaviour.encode_state(self.state))
        return Snapshot(self.slot, self.entity_id, self.seq, self.chain, behaviour.schema, self.at, body)
