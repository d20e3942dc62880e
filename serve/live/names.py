"""The names a client may know the events by: ours, or those of the travel app (`"names": "jatour"` at auth).

Only names change, and `sync_completed` is added: what is in an event, and the stream's `seq`, are the same in both.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from engine.kinds import SPEND_KINDS

Names = Literal["boond", "jatour"]


class _Event(Struct, omit_defaults=True):
    type: str
    data: Raw


class _Turn(Struct, tag_field="t", tag="turn", omit_defaults=True):
    seq: int
    at: str
    events: list[_Event]
    request_id: str = ""


class _Transaction(Struct):
    transaction_id: str
    external_id: str
    source: str
    kind: str


class _Receipt(Struct):
    effect: str
    transaction: _Transaction


_turns = msgspec.json.Decoder(_Turn)
_receipts = msgspec.json.Decoder(_Receipt)
_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def translator(names: Names) -> Callable[[str], str]:
    """Return what makes of an encoded `turn` frame one in these names."""
    return _jatour if names == "jatour" else _as_it_is


def _as_it_is(turn: str) -> str:
    return turn


def _jatour(turn: str) -> str:
    decoded = _turns.decode(turn)
    events = [renamed for event in decoded.events for renamed in _renamed(event)]
    return _encode(_Turn(decoded.seq, decoded.at, events, decoded.request_id)).decode()


def _renamed(event: _Event) -> list[_Event]:
    """A new expense is `expense_created`; whatever a source reports of one ends with `sync_completed`."""
    if event.type == "budget_exceeded":
        return [_Event("budget_threshold", event.data)]
    try:
        receipt = _receipts.decode(event.data)
    except msgspec.ValidationError:
        return [event]
    about = receipt.transaction
    is_new = event.type == "transaction_recorded" and about.kind in SPEND_KINDS
    done = {
        "transaction_id": about.transaction_id,
        "external_id": about.external_id,
        "source": about.source,
        "effect": receipt.effect,
    }
    created = _Event("expense_created", event.data) if is_new else event
    return [created, _Event("sync_completed", Raw(_encode(done)))]
