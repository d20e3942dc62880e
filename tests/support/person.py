"""One user's actor without a runtime: carries out commands as a shard does, codecs included, and keeps the turns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

import msgspec

from engine.behaviour import Context, Facts, OutboxRow, Prediction, TimerRow, Turn
from engine.commands import Command, OpenUser
from engine.hosting import UserBehaviour
from engine.queries import GetOverview, Query
from engine.state import UserState
from tests.support.outside import Told

BEHAVIOUR = UserBehaviour()


class Person:
    """`do` decides a command at a time and applies its turn; a refusal leaves everything as it was."""

    def __init__(self, opening: OpenUser | None = None, at: datetime | None = None, entity_id: str = "main/u1") -> None:
        self.entity_id = entity_id
        self.state: UserState = BEHAVIOUR.initial(self.entity_id)
        self.turns: list[Turn] = []
        self.bodies: list[bytes] = []
        self.transactions: dict[str, Any] = {}
        self.timers: dict[str, TimerRow] = {}
        self.outbox: list[OutboxRow] = []
        self.outside = Told()
        self._ids = 0
        if at is not None:
            self.do(opening or OpenUser(auto_saving="on"), at)

    @property
    def seq(self) -> int:
        """The seq of the last turn."""
        return len(self.turns)

    def do(self, command: Command, at: datetime, prediction: Prediction | None = None) -> Turn:
        """Carry out a command as it arrives from the wire; the turn is applied as the journal would give it back."""
        received = BEHAVIOUR.decode_command(msgspec.msgpack.encode(command))
        needed = BEHAVIOUR.needs(received)
        ids = needed.transaction_ids if needed else ()
        by_identity = {(t.origin, t.source, t.external_id): t for t in self.transactions.values()}
        identities = needed.identities if needed else ()
        facts = Facts(
            {i: self.transactions[i] for i in ids if i in self.transactions},
            {i: by_identity[i] for i in identities if i in by_identity},
        )
        context = Context(at, self.seq + 1, self._new_id, prediction, self.outside)
        decision = BEHAVIOUR.decide(self.state, received, facts, context)
        body = BEHAVIOUR.encode_turn(decision.events, decision.result)
        events, result = BEHAVIOUR.decode_turn(body)
        for event in events:
            BEHAVIOUR.evolve(self.state, event)
        turn = Turn(self.entity_id, self.seq + 1, at, events, result, decision.outbox)
        self.turns.append(turn)
        self.bodies.append(body)
        rows = BEHAVIOUR.rows(turn)
        for row in rows.transactions:
            self.transactions[row.transaction_id] = BEHAVIOUR.decode_transaction(row.sealed)
        for timer in rows.timers:
            self.timers.pop(timer.timer_id, None)
            if timer.body is not None:
                self.timers[timer.timer_id] = timer
        self.outbox += rows.outbox
        return turn

    def wait(self, until: datetime) -> list[Turn]:
        """Let time pass: every timer due until then fires at its time, as the runtime does; return those turns."""
        fired = []
        while due := [timer for timer in self.timers.values() if timer.due <= until]:
            first = min(due, key=lambda timer: (timer.due, timer.timer_id))
            assert first.body is not None
            del self.timers[first.timer_id]
            fired.append(self.do(BEHAVIOUR.decode_command(first.body), first.due))
        return fired

    def answer(self, turn: Turn | None = None) -> Any:
        """Return the JSON answer of a turn (the last by default), decoded."""
        return msgspec.json.decode(BEHAVIOUR.answer(turn or self.turns[-1]))

    def ask(self, query: Query, at: datetime) -> Any:
        """Return the JSON answer of a read, decoded."""
        return msgspec.json.decode(BEHAVIOUR.query(self.state, query, at, self.seq))

    def overview(self, at: datetime) -> Any:
        """Return everything the first screen shows."""
        return self.ask(GetOverview(), at)

    def jar_id(self, name: str) -> str:
        """Return the id of the jar of this name."""
        return next(jar.jar_id for jar in self.state.jars.values() if jar.name == name)

    def _new_id(self) -> str:
        self._ids += 1
        whose = "8000" if self.entity_id == "main/u1" else f"{crc32(self.entity_id.encode()) & 0xFFF | 0x9000:04x}"
        return f"019aa000-0000-7000-{whose}-{self._ids:012d}"


def replayed(bodies: Sequence[bytes], entity_id: str = "main/u1", snapshot_at: int | None = None) -> UserState:
    """Return the state that a journal gives, through a snapshot after `snapshot_at` turns when given."""
    state: UserState = BEHAVIOUR.initial(entity_id)
    for number, body in enumerate(bodies, start=1):
        for event in BEHAVIOUR.decode_turn(body)[0]:
            BEHAVIOUR.evolve(state, event)
        if number == snapshot_at:
            state = BEHAVIOUR.decode_state(BEHAVIOUR.encode_state(state))
    return state
