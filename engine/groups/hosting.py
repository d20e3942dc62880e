"""The group as the runtime hosts it: the `Behaviour` port, with its codecs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from engine.behaviour import Context, Decision, Facts, Needs, Prediction, Refused, Rows, TimerRow, Turn
from engine.groups import membership, proposals, transfers, views
from engine.groups.commands import (
    Approve,
    CreditShare,
    ExpireProposal,
    GroupCommand,
    InviteToGroup,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    PayOutShare,
    Propose,
    Reject,
    SettlePayout,
)
from engine.groups.events import ExpirySet, GroupEvent
from engine.groups.evolve import evolve
from engine.groups.state import GroupState
from engine.groups.views import GroupQuery
from engine.letters import GROUP_MARK
from engine.outside import NOTHING, Outside
from engine.views import Declined, Shown

GROUP_SCHEMA = "group/1"
"""Names the snapshot's format; change it whenever `GroupState` changes shape."""

_ENCODER = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()
_STATES = msgspec.msgpack.Decoder(GroupState)
_COMMANDS: msgspec.msgpack.Decoder[GroupCommand] = msgspec.msgpack.Decoder(GroupCommand)
_QUERIES: msgspec.msgpack.Decoder[GroupQuery] = msgspec.msgpack.Decoder(GroupQuery)
_TURNS = msgspec.msgpack.Decoder(tuple[list[GroupEvent], Shown | Declined])

_DECIDE: dict[type, Callable[[GroupState, Any, Context], Decision]] = {
    OpenGroup: membership.open_group,
    InviteToGroup: membership.invite,
    JoinGroup: membership.join,
    LeaveGroup: transfers.leave,
    PayOutShare: transfers.pay_out,
    CreditShare: transfers.credit,
    SettlePayout: transfers.settle,
    Propose: proposals.propose,
    Approve: proposals.approve,
    Reject: proposals.reject,
    ExpireProposal: proposals.expire,
}


class GroupBehaviour:
    """`engine.behaviour.Behaviour` of a group."""

    kind = "group"
    schema = GROUP_SCHEMA

    def __init__(self, outside: Outside = NOTHING) -> None:
        self.outside = outside

    def initial(self, entity_id: str) -> GroupState:
        """Return the state of a group nobody has opened."""
        return GroupState(group_id=entity_id.partition(GROUP_MARK)[2])

    def opening(self, state: GroupState, defaults: Any) -> None:  # noqa: ARG002
        """Return None: nothing opens a group but its first member's word."""
        return

    def decode_command(self, raw: bytes | Raw) -> GroupCommand:
        """Decode a msgpack command."""
        return _COMMANDS.decode(raw)

    def decode_query(self, raw: bytes | Raw) -> GroupQuery:
        """Decode a msgpack query."""
        return _QUERIES.decode(raw)

    def needs(self, command: GroupCommand) -> Needs | None:  # noqa: ARG002
        """Return None: the state is enough."""
        return None

    def predict(self, command: GroupCommand) -> Prediction | None:  # noqa: ARG002
        """Return None: no model is asked."""
        return None

    def decide(self, state: GroupState, command: GroupCommand, facts: Facts, context: Context) -> Decision:  # noqa: ARG002
        """Return the events of a command. A letter is answered even where there is no group."""
        if not state.is_open and type(command) not in (OpenGroup, CreditShare, SettlePayout, ExpireProposal):
            raise Refused("not_found", f"there is no group {state.group_id!r}")
        return _DECIDE[type(command)](state, command, context)

    def evolve(self, state: GroupState, event: GroupEvent) -> None:
        """Apply an event."""
        evolve(state, event)

    def query(self, state: GroupState, query: GroupQuery, at: datetime, seq: int) -> bytes:  # noqa: ARG002
        """Answer a read with JSON."""
        return _JSON.encode(views.answer(state, query))

    def encode_state(self, state: GroupState) -> bytes:
        """Encode a snapshot."""
        return _ENCODER.encode(state)

    def decode_state(self, encoded: bytes) -> GroupState:
        """Decode a snapshot."""
        return _STATES.decode(encoded)

    def encode_turn(self, events: Sequence[GroupEvent], result: Shown | Declined) -> bytes:
        """Encode the journal's body."""
        return _ENCODER.encode((events, result))

    def decode_turn(self, encoded: bytes | memoryview) -> tuple[list[GroupEvent], Shown | Declined]:
        """Decode the journal's body."""
        return _TURNS.decode(encoded)

    def decode_transaction(self, sealed: bytes) -> Any:
        """Raise: a group has no transactions."""
        raise TypeError(f"a group has no transactions, and no row of {len(sealed)} bytes")

    def answer(self, turn: Turn, *, duplicate: bool = False) -> bytes:  # noqa: ARG002
        """Return the JSON answer of a turn's command."""
        return b"null" if type(turn.result) is Declined else _JSON.encode(turn.result.view)

    def declined(self, turn: Turn) -> Refused | None:
        """Return the refusal that a turn keeps."""
        result = turn.result
        return Refused(result.code, result.detail, (), **result.extra) if type(result) is Declined else None

    def decline(self, refused: Refused) -> Declined:
        """Return the result that keeps a refusal."""
        return Declined(refused.code, refused.detail, refused.extra)

    def push(self, turn: Turn) -> bytes:
        """Return the turn's events as JSON; members hear of them by letter."""
        shown = [e for e in turn.events if type(e) is not ExpirySet]
        return _JSON.encode([{"type": type(e).__struct_config__.tag, "data": e} for e in shown])

    def rows(self, turn: Turn) -> Rows:
        """Return timers and letters."""
        timers = [
            TimerRow(e.timer_id, e.due, None if e.command is None else _ENCODER.encode(e.command))
            for e in turn.events
            if type(e) is ExpirySet
        ]
        return Rows(timers=timers, outbox=turn.outbox)


GROUP_BEHAVIOUR = GroupBehaviour()
