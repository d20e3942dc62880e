"""The user as the runtime hosts it: the `Behaviour` port over the aggregate, with its codecs and read models."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from engine import alerts, queries, receipts, user
from engine.behaviour import (
    AlertRow,
    Context,
    Decision,
    Facts,
    Needs,
    OutboxRow,
    Prediction,
    RecordRow,
    Refused,
    Rows,
    TimerRow,
    TransactionRow,
    Turn,
)
from engine.commands import Command, OpenUser, RecordTransaction
from engine.events import AlertRaised, Event, TimerCancelled, TimerSet
from engine.events.saving_challenges import SavingChallengeScored
from engine.outside import NOTHING, Outside
from engine.payments import looking_back
from engine.queries import Query
from engine.rewards import leaderboards
from engine.settlement import rows_settlement
from engine.state import UserState
from engine.views import Changed, Declined, Edited, Receipt, Recorded, Refunded, Result, TransactionView

STATE_SCHEMA = "user/22"
"""Names the snapshot's format; change it whenever `UserState` changes shape, and old snapshots are rebuilt."""

_NEVER = datetime.max.replace(tzinfo=UTC)

Predictor = Callable[[RecordTransaction], Prediction | None]

_ENCODER = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()
_STATES = msgspec.msgpack.Decoder(UserState)
_COMMANDS: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_QUERIES: msgspec.msgpack.Decoder[Query] = msgspec.msgpack.Decoder(Query)
_TURNS = msgspec.msgpack.Decoder(tuple[list[Event], Result])
_TRANSACTIONS = msgspec.msgpack.Decoder(TransactionView)


class UserBehaviour:
    """`engine.behaviour.Behaviour` of a user. `predictor` is what the models say of a text; none by default."""

    kind = "user"
    schema = STATE_SCHEMA

    def __init__(self, predictor: Predictor | None = None, outside: Outside = NOTHING) -> None:
        self._predictor = predictor
        self.outside = outside

    def initial(self, entity_id: str) -> UserState:
        """Return the state of a user nobody has opened."""
        return UserState(user_id=receipts.user_id(entity_id))

    def opening(self, state: UserState, defaults: OpenUser) -> OpenUser | None:
        """Return the command that opens an unknown user."""
        return None if state.is_open else defaults

    def decode_command(self, raw: bytes | Raw) -> Command:
        """Decode a msgpack command."""
        return _COMMANDS.decode(raw)

    def decode_query(self, raw: bytes | Raw) -> Query:
        """Decode a msgpack query."""
        return _QUERIES.decode(raw)

    def needs(self, command: Command) -> Needs | None:
        """Return the old transactions a command must see."""
        return looking_back.needs(command)

    def predict(self, command: Command) -> Prediction | None:
        """Ask the models about a transaction that names no category."""
        if type(command) is RecordTransaction and command.category is None and self._predictor is not None:
            return self._predictor(command)
        return None

    def decide(self, state: UserState, command: Command, facts: Facts, context: Context) -> Decision:
        """Return the events of a command."""
        return user.decide(state, command, facts, context)

    def evolve(self, state: UserState, event: Event) -> None:
        """Apply an event."""
        user.evolve(state, event)

    def query(self, state: UserState, query: Query, at: datetime, seq: int) -> bytes:
        """Answer a read with JSON."""
        return _JSON.encode(queries.answer(state, query, at, seq))

    def encode_state(self, state: UserState) -> bytes:
        """Encode a snapshot."""
        return _ENCODER.encode(state)

    def decode_state(self, encoded: bytes) -> UserState:
        """Decode a snapshot."""
        return _STATES.decode(encoded)

    def encode_turn(self, events: Sequence[Event], result: Result) -> bytes:
        """Encode the journal's body."""
        return _ENCODER.encode((events, result))

    def decode_turn(self, encoded: bytes | memoryview) -> tuple[list[Event], Result]:
        """Decode the journal's body."""
        return _TURNS.decode(encoded)

    def decode_transaction(self, sealed: bytes) -> TransactionView:
        """Decode the sealed part of a transaction's row."""
        return _TRANSACTIONS.decode(sealed)

    def answer(self, turn: Turn, *, duplicate: bool = False) -> bytes:
        """Return the JSON answer of a turn's command."""
        result = turn.result
        if type(result) is Recorded:
            if duplicate:
                return _JSON.encode(receipts.receipt(turn, duplicate=True))
            return _receipt_json(turn)
        if (type(result) is Changed and not result.edited) or (type(result) is Refunded and not result.linked):
            return _JSON.encode(receipts.receipt(turn, duplicate=duplicate))
        if type(result) is Declined:
            return b"null"
        if type(result) is Edited or type(result) is Refunded or type(result) is Changed:
            return _JSON.encode(result.transaction)
        return _JSON.encode(result.view)

    def declined(self, turn: Turn) -> Refused | None:
        """Return the refusal a turn's command gets although it changed something."""
        result = turn.result
        return Refused(result.code, result.detail, (), **result.extra) if type(result) is Declined else None

    def decline(self, refused: Refused) -> Declined:
        """Return the result that keeps a refusal."""
        return Declined(refused.code, refused.detail, refused.extra)

    def push(self, turn: Turn) -> bytes:
        """Return the turn's events on the socket, as JSON."""
        shown = _receipt_json(turn) if type(turn.result) in (Refunded, Changed) else self.answer(turn)
        return _JSON.encode(receipts.pushed(turn, Raw(shown)))

    def rows(self, turn: Turn) -> Rows:
        """Return the rows of the read models."""
        result = turn.result
        view: TransactionView | None = None
        refunds: Sequence[Refunded] = ()
        also: Sequence[TransactionView] = ()
        if type(result) is Recorded:
            view, refunds, also = _receipt(turn).transaction, result.refunds, result.also
        elif type(result) is Changed or type(result) is Edited:
            view, also = result.transaction, result.also
        elif type(result) is Refunded:
            view, refunds = result.original, (result,)
        raised: Sequence[AlertRow] = ()
        timers: Sequence[TimerRow] = ()
        records: list[RecordRow] = []
        orders: Sequence[OutboxRow] = ()
        if len(turn.events) > 1 or view is None or type(result) is Changed:
            raised = [_alert_row(e) for e in turn.events if type(e) is AlertRaised]
            timers = [_timer_row(e) for e in turn.events if type(e) is TimerSet or type(e) is TimerCancelled]
            records, orders = rows_settlement.of_turn(turn)
            records += [leaderboards.record(e) for e in turn.events if type(e) is SavingChallengeScored]
        outbox = [*turn.outbox, *orders] if orders else turn.outbox
        if view is None:
            return Rows(alerts=raised, timers=timers, outbox=outbox, records=records)
        others = [_transaction_row(refund.transaction) for refund in refunds]
        others += [_transaction_row(one) for one in also]
        return Rows((_transaction_row(view), *others), raised, timers, outbox, records)


def _receipt(turn: Turn) -> Receipt:
    """Build a turn's receipt once: its row, its answer and its push all need it."""
    memo = turn.result.__dict__
    built: Receipt | None = memo.get("receipt")
    if built is None:
        built = memo["receipt"] = receipts.receipt(turn, duplicate=False)
    return built


def _receipt_json(turn: Turn) -> bytes:
    memo = turn.result.__dict__
    encoded: bytes | None = memo.get("json")
    if encoded is None:
        encoded = memo["json"] = _JSON.encode(_receipt(turn))
    return encoded


def _transaction_row(view: TransactionView) -> TransactionRow:
    return TransactionRow(
        view.transaction_id,
        view.origin,
        view.source,
        view.external_id,
        view.status,
        view.kind,
        view.direction,
        view.amount,
        view.currency,
        view.category,
        view.occurred_at,
        view.recorded_at,
        _ENCODER.encode(view),
    )


def _alert_row(event: AlertRaised) -> AlertRow:
    return AlertRow(
        event.alert_id, event.seq, event.type, event.category, event.at, _ENCODER.encode(alerts.view(event))
    )


def _timer_row(event: TimerSet | TimerCancelled) -> TimerRow:
    if type(event) is TimerSet:
        return TimerRow(event.timer_id, event.due, _ENCODER.encode(event.command))
    return TimerRow(event.timer_id, _NEVER, None)


BEHAVIOUR = UserBehaviour()
