"""The port between the actor runtime and a domain: what one kind of virtual actor must be able to do.

The runtime (`actors/`) hosts any `Behaviour`: it loads a state, asks `needs`, reads those rows, asks `decide`, applies
`evolve`, commits, then `answer`s and `push`es. Everything here is pure: no clock, no randomness, no I/O.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Raw, Struct

from engine.outside import NOTHING, Outside


class FieldError(Struct, frozen=True):
    """One thing wrong with one field, in words that say how to mend it."""

    field: str
    message: str


class Refused(Exception):
    """The command cannot be carried out; nothing changed and its id is not used up.

    `code` is one of invalid (422), not_found (404), conflict (409), forbidden (403), gone (410), too_many (429).
    """

    def __init__(self, code: str, detail: str, errors: Sequence[FieldError] = (), **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.extra = extra


def invalid(field: str, message: str) -> Refused:
    """Return the refusal for one bad field."""
    return Refused("invalid", f"{field}: {message}", [FieldError(field, message)])


class Prediction(Struct, frozen=True):
    """What the categoriser says of a text: a category, how sure (0-1), and by what (rule, mcc, model ...)."""

    category: str
    confidence: float
    by: str
    merchant_name: str | None = None


class Context(Struct, frozen=True):
    """What a decision may know beside the state: time, the seq its turn will get, fresh ids, predictions."""

    at: datetime
    seq: int
    new_id: Callable[[], str]
    prediction: Prediction | None = None
    outside: Outside = NOTHING


class Needs(Struct, frozen=True):
    """Rows of the past that a decision must see: the runtime reads them and passes them as `Facts`."""

    transaction_ids: tuple[str, ...] = ()
    identities: tuple[tuple[str, str, str], ...] = ()
    """Transactions by who reported them: (origin, source, external id)."""


class Facts(Struct, frozen=True):
    """The rows asked for by `Needs`: decoded transactions by id and by identity; a missing one is absent."""

    transactions: dict[str, Any] = {}
    by_identity: dict[tuple[str, str, str], Any] = {}


class TransactionRow(Struct, frozen=True):
    """A row of the read model `transactions`: searchable columns in clear, the whole record sealed."""

    transaction_id: str
    origin: str
    source: str
    external_id: str
    status: str
    kind: str
    direction: str
    amount: int
    currency: str
    category: str
    occurred_at: datetime
    recorded_at: datetime
    sealed: bytes


class AlertRow(Struct, frozen=True):
    """A row of the read model `alerts`."""

    alert_id: str
    seq: int
    type: str
    category: str | None
    at: datetime
    sealed: bytes


class RecordRow(Struct, frozen=True):
    """A row of the read model `records`: what a list over all users of a tenant shows, such as instructions.

    Written again it replaces itself, by (entity, kind, record id). `at` is what its lists are ordered by.
    """

    kind: str
    record_id: str
    state: str
    at: datetime
    amount: int
    currency: str
    sealed: bytes


class TimerRow(Struct, frozen=True):
    """A durable timer: at `due` the command in `body` is delivered, exactly once, by a turn that deletes the row."""

    timer_id: str
    due: datetime
    body: bytes | None
    """None deletes the timer."""


class OutboxRow(Struct, frozen=True):
    """A message to the outside, committed with the turn that sends it."""

    outbox_id: str
    channel: str
    body: bytes


class OutboxMessage(Struct, frozen=True, gc=False):
    """An outbox row on its way: `number` is its place among those of its turn, `tries` how often it failed."""

    entity_id: str
    channel: str
    seq: int
    number: int
    outbox_id: str
    body: bytes
    at: datetime
    tries: int


class Decision(Struct, frozen=True):
    """The events of a turn, and its result: what the answer cannot derive from the events.

    `outbox` is committed with the turn but is in no event, so what it holds (a code) is gone once it is delivered.
    """

    events: list[Any]
    result: Any
    outbox: Sequence[OutboxRow] = ()


class Rows(Struct, frozen=True):
    """What a turn writes beside its journal row, in the same commit."""

    transactions: Sequence[TransactionRow] = ()
    alerts: Sequence[AlertRow] = ()
    timers: Sequence[TimerRow] = ()
    outbox: Sequence[OutboxRow] = ()
    records: Sequence[RecordRow] = ()


class Turn(Struct, frozen=True):
    """A decided turn, as `answer`, `push` and `rows` see it."""

    entity_id: str
    seq: int
    at: datetime
    events: Sequence[Any]
    result: Any
    outbox: Sequence[OutboxRow] = ()
    """Empty for a turn that is read back."""


class Behaviour(Protocol):
    """One kind of virtual actor. `schema` names the snapshot's format: a snapshot of another schema is not used."""

    kind: str
    schema: str
    outside: Outside

    def initial(self, entity_id: str) -> Any:
        """Return the state of an entity that has no turn yet."""

    def opening(self, state: Any, defaults: Any) -> Any | None:
        """Return the command that must run first (as a turn of its own, id `open`), or None if it already has."""

    def decode_command(self, raw: bytes | Raw) -> Any:
        """Decode a msgpack command."""

    def needs(self, command: Any) -> Needs | None:
        """Return the old rows the decision must see; None when the state is enough."""

    def predict(self, command: Any) -> Prediction | None:
        """Ask the models; called outside of `decide`, and what matters of the answer goes into the events."""

    def decide(self, state: Any, command: Any, facts: Facts, context: Context) -> Decision:
        """Return the events; must not change `state`. Raises `Refused`."""

    def evolve(self, state: Any, event: Any) -> None:
        """Apply an event to the state, in place."""

    def query(self, state: Any, query: Any, at: datetime, seq: int) -> bytes:
        """Answer a read with JSON, from the state alone. Raises `Refused`."""

    def decode_query(self, raw: bytes | Raw) -> Any:
        """Decode a msgpack query."""

    def encode_state(self, state: Any) -> bytes:
        """Encode a snapshot."""

    def decode_state(self, encoded: bytes) -> Any:
        """Decode a snapshot of this `schema`."""

    def encode_turn(self, events: Sequence[Any], result: Any) -> bytes:
        """Encode what the journal's body holds."""

    def decode_turn(self, encoded: bytes | memoryview) -> tuple[list[Any], Any]:
        """Decode what `encode_turn` made."""

    def decode_transaction(self, sealed: bytes) -> Any:
        """Decode `TransactionRow.sealed` for `Facts`."""

    def answer(self, turn: Turn, *, duplicate: bool = False) -> bytes:
        """Return the JSON answer of the command that made this turn."""

    def declined(self, turn: Turn) -> Refused | None:
        """Return the refusal that a turn's command gets although it changed something (a wrong code counts a try)."""

    def decline(self, refused: Refused) -> Any:
        """Return the result of a turn without events that keeps a refusal, for which `declined` tells it again."""

    def push(self, turn: Turn) -> bytes:
        """Return the JSON of the turn's `events` on the socket: a list of {"type", "data"}."""

    def rows(self, turn: Turn) -> Rows:
        """Return the read-model rows, timers and outbox messages of a turn."""
