"""A small but whole domain: an account that is opened, paid into, refunded, and asked for its balance."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw, Struct, json, msgpack

from actors.messages import Envelope, Meta
from engine.behaviour import (
    AlertRow,
    Context,
    Decision,
    Facts,
    Needs,
    OutboxRow,
    Prediction,
    Refused,
    Rows,
    TimerRow,
    TransactionRow,
    Turn,
    invalid,
)
from engine.outside import NOTHING, Outside


class Open(Struct, frozen=True, tag="open"):
    currency: str = "INR"


class Pay(Struct, frozen=True, tag="pay"):
    """`note` "boom" breaks decide, "bang" breaks evolve half way, "nul" makes a row the storage refuses."""

    transaction_id: str
    amount: int
    note: str = ""


class TakeBack(Struct, frozen=True, tag="take_back"):
    transaction_id: str


class TakeBackNamed(Struct, frozen=True, tag="take_back_named"):
    """Takes back the payment that `source` reported under `external_id`."""

    source: str
    external_id: str


class Remind(Struct, frozen=True, tag="remind"):
    """Sets a timer that rings in `seconds`; `how` is what ringing does."""

    timer_id: str
    cancel: bool = False
    seconds: int = 86_400
    how: str = ""


class Ring(Struct, frozen=True, tag="ring"):
    """What a timer brings. `how`: "" pays 1, "nothing" is an empty turn, "again" sets it again, "refuse", "boom"."""

    timer_id: str
    how: str = ""


class Sent(Struct, frozen=True):
    channel: str
    body: bytes


class Write(Struct, frozen=True, tag="write"):
    """Pays `amount` out and sends messages."""

    messages: list[Sent]
    amount: int = 0


class Guess(Struct, frozen=True, tag="guess"):
    """Costs 1 and is refused all the same."""


class Opened(Struct, frozen=True, tag="opened"):
    currency: str


class Paid(Struct, frozen=True, tag="paid"):
    transaction_id: str
    amount: int
    note: str
    at: datetime
    category: str


class TakenBack(Struct, frozen=True, tag="taken_back"):
    transaction_id: str
    amount: int
    at: datetime


class Written(Struct, frozen=True, tag="written"):
    amount: int


class Reminded(Struct, frozen=True, tag="reminded"):
    timer_id: str
    due: datetime
    cancel: bool
    how: str = ""


class Rang(Struct, frozen=True, tag="rang"):
    timer_id: str
    at: datetime


class Balance(Struct, frozen=True, tag="balance"):
    pass


class State(Struct):
    entity_id: str
    currency: str | None = None
    balance: int = 0
    turns: int = 0


class Sealed(Struct, frozen=True):
    transaction_id: str
    amount: int
    taken_back: bool = False


_COMMAND = msgpack.Decoder(Open | Pay | TakeBack | TakeBackNamed | Remind | Ring | Write | Guess)
DECLINED = -(2**40)
"""The result of a turn whose command is refused."""
_QUERY = msgpack.Decoder(Balance)
_EVENTS = msgpack.Decoder(tuple[list[Opened | Paid | TakenBack | Reminded | Rang | Written], int])
_STATE = msgpack.Decoder(State)
_SEALED = msgpack.Decoder(Sealed)


class Counter:
    """Implements `Behaviour`."""

    kind = "counter"

    def __init__(self, schema: str = "counter-1") -> None:
        self.schema = schema
        self.outside: Outside = NOTHING
        self.decided = 0

    def initial(self, entity_id: str) -> State:
        return State(entity_id)

    def opening(self, state: State, defaults: Open) -> Open | None:
        return defaults if state.currency is None else None

    def decode_command(self, raw: bytes | Raw) -> Any:
        return _COMMAND.decode(raw)

    def needs(self, command: Any) -> Needs | None:
        if isinstance(command, TakeBackNamed):
            return Needs(identities=(("user", command.source, command.external_id),))
        return Needs((command.transaction_id,)) if isinstance(command, TakeBack) else None

    def predict(self, command: Any) -> Prediction | None:
        return Prediction("food", 0.5, "rule") if isinstance(command, Pay) else None

    def decide(self, state: State, command: Any, facts: Facts, context: Context) -> Decision:
        self.decided += 1
        match command:
            case Open(currency):
                if state.currency is not None:
                    raise Refused("conflict", "already open")
                return Decision([Opened(currency)], 0)
            case Pay(transaction_id, amount, note):
                if note == "boom":
                    raise ZeroDivisionError("a bug in decide")
                if amount <= 0:
                    raise invalid("amount", "must be at least 1")
                category = context.prediction.category if context.prediction else "other"
                paid = Paid(transaction_id, amount, note, context.at, category)
                return Decision([paid], state.balance + amount)
            case TakeBack(transaction_id):
                return _taken_back(state, facts.transactions.get(transaction_id), context)
            case TakeBackNamed(source, external_id):
                return _taken_back(state, facts.by_identity.get(("user", source, external_id)), context)
            case Guess():
                return Decision([Paid(context.new_id(), 1, "", context.at, "other")], DECLINED)
            case Remind(timer_id, cancel, seconds, how):
                due = context.at + timedelta(seconds=seconds)
                return Decision([Reminded(timer_id, due, cancel, how)], state.balance)
            case Ring():
                return _rung(state, command, context)
            case Write(messages, amount):
                rows = [OutboxRow(context.new_id(), sent.channel, sent.body) for sent in messages]
                return Decision([Written(amount)], state.balance - amount, rows)
        raise AssertionError(command)

    def evolve(self, state: State, event: Any) -> None:
        state.turns += 1
        match event:
            case Opened(currency):
                state.currency = currency
            case Paid():
                state.balance += event.amount
                if event.note == "bang":
                    raise ZeroDivisionError("a bug in evolve")
            case TakenBack():
                state.balance -= event.amount
            case Rang():
                state.balance += 1
            case Written():
                state.balance -= event.amount

    def query(self, state: State, query: Any, at: datetime, seq: int) -> bytes:
        if state.currency is None:
            raise Refused("not_found", "not open")
        return json.encode({"balance": state.balance, "turns": state.turns, "seq": seq})

    def decode_query(self, raw: bytes | Raw) -> Any:
        return _QUERY.decode(raw)

    def encode_state(self, state: State) -> bytes:
        return msgpack.encode(state)

    def decode_state(self, encoded: bytes) -> State:
        return _STATE.decode(encoded)

    def encode_turn(self, events: Sequence[Any], result: Any) -> bytes:
        return msgpack.encode((events, result))

    def decode_turn(self, encoded: bytes | memoryview) -> tuple[list[Any], Any]:
        events, result = _EVENTS.decode(encoded)
        return list(events), result

    def decode_transaction(self, sealed: bytes) -> Sealed:
        return _SEALED.decode(sealed)

    def answer(self, turn: Turn, *, duplicate: bool = False) -> bytes:
        return json.encode({"seq": turn.seq, "at": turn.at, "balance": turn.result, "duplicate": duplicate})

    def declined(self, turn: Turn) -> Refused | None:
        return Refused("forbidden", "counted, and refused") if turn.result == DECLINED else None

    def decline(self, refused: Refused) -> int:
        return DECLINED

    def push(self, turn: Turn) -> bytes:
        return json.encode([{"type": type(event).__name__, "data": event} for event in turn.events])

    def rows(self, turn: Turn) -> Rows:
        event = turn.events[0] if turn.events else None
        match event:
            case Paid():
                alert = AlertRow(f"al-{turn.seq}", turn.seq, "large", None, turn.at, b"alert")
                note = OutboxRow(f"ob-{turn.seq}", "log", b"large")
                large = event.amount >= 1_000_000
                return Rows(
                    transactions=[_row(event, turn.at, event.amount, taken_back=False)],
                    alerts=[alert] if large else (),
                    outbox=[note] if large else (),
                )
            case TakenBack():
                return Rows(transactions=[_row(event, turn.at, event.amount, taken_back=True)])
        timers = [_timer_row(event) for event in turn.events if isinstance(event, Reminded)]
        return Rows(timers=timers, outbox=turn.outbox)


def _taken_back(state: State, sealed: Sealed | None, context: Context) -> Decision:
    if sealed is None:
        raise Refused("not_found", "no such transaction")
    if sealed.taken_back:
        raise Refused("conflict", f"{sealed.transaction_id} was taken back")
    back = TakenBack(sealed.transaction_id, sealed.amount, context.at)
    return Decision([back], state.balance - sealed.amount)


def _rung(state: State, command: Ring, context: Context) -> Decision:
    rang = Rang(command.timer_id, context.at)
    match command.how:
        case "nothing":
            return Decision([], state.balance)
        case "refuse":
            raise Refused("conflict", "it does not ring")
        case "boom":
            raise ZeroDivisionError("a bug in a timer's command")
        case "again":
            again = Reminded(command.timer_id, context.at + timedelta(days=1), cancel=False)
            return Decision([rang, again], state.balance + 1)
    return Decision([rang], state.balance + 1)


def _timer_row(event: Reminded) -> TimerRow:
    return TimerRow(
        event.timer_id, event.due, None if event.cancel else msgpack.encode(Ring(event.timer_id, event.how))
    )


def _row(event: Paid | TakenBack, at: datetime, amount: int, *, taken_back: bool) -> TransactionRow:
    nul = "\0" if isinstance(event, Paid) and event.note == "nul" else ""
    return TransactionRow(
        transaction_id=event.transaction_id + nul,
        origin="user",
        source="test",
        external_id=event.transaction_id,
        status="reversed" if taken_back else "settled",
        kind="purchase",
        direction="debit",
        amount=amount,
        currency="INR",
        category="food",
        occurred_at=event.at,
        recorded_at=at,
        sealed=msgpack.encode(Sealed(event.transaction_id, amount, taken_back)),
    )


BEHAVIOUR = Counter()
DEFAULTS = msgpack.encode(Open())
META = Meta("tester")


def command(entity_id: str, command_id: str, what: Any, *, opening: bool = True) -> Envelope:
    """Return the envelope of a command."""
    return Envelope(entity_id, command_id, msgpack.encode(what), META, DEFAULTS if opening else None)


def pay(entity_id: str, transaction_id: str, amount: int = 100, note: str = "") -> Envelope:
    """Return the envelope of a payment whose command id follows from its transaction id."""
    return command(entity_id, f"tx:{transaction_id}", Pay(transaction_id, amount, note))


def balance(entity_id: str, *, opening: bool = True) -> Envelope:
    """Return the envelope of a query."""
    return Envelope(entity_id, None, msgpack.encode(Balance()), META, DEFAULTS if opening else None)


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)
