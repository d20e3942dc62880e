"""Which requests are the same command: the same identity and input, however they are written; never another's."""

import json
from itertools import combinations
from typing import Any

import msgspec
import pytest

from actors.messages import Envelope
from serve.auth.principal import Principal, Role
from serve.composition import _expense
from serve.envelopes import TransactionRequest, transaction
from serve.live.ports import ExpenseRefused

_REQUEST = msgspec.json.Decoder(TransactionRequest)


def principal(user_id: str, role: Role = "service") -> Principal:
    """Return who reports."""
    return Principal(user_id=user_id, tenant="main", role=role, session="", expires_at=0)


def envelope(who: Principal, source: str, external_id: str, **fields: Any) -> Envelope:
    """Return the envelope of a report about user u."""
    event = {"external_id": external_id, "source": source, "amount": 100, "currency": "INR"} | fields
    user_id = "u" if who.role == "service" else None
    return transaction(who, _REQUEST.decode(json.dumps(event)), user_id, "")


def test_no_service_can_occupy_the_id_of_another_by_its_name() -> None:
    reports = [
        envelope(principal("a"), "b", "c:T1"),
        envelope(principal("a:b"), "c", "T1"),
        envelope(principal("a"), "b", "c:T1:settled"),
        envelope(principal("u", "user"), "b", "c:T1"),
    ]
    assert all(one.command_id != other.command_id for one, other in combinations(reports, 2))


def test_metadata_in_another_order_is_the_same_command() -> None:
    one = envelope(principal("a"), "upi", "T1", metadata={"till": 4, "shop": "x"})
    other = envelope(principal("a"), "upi", "T1", metadata={"shop": "x", "till": 4})
    assert (one.command_id, one.body) == (other.command_id, other.body)


def test_a_number_too_large_to_store_is_bad_input_on_the_socket_too() -> None:
    body = b'{"external_id":"T","source":"upi","amount":1,"currency":"INR","metadata":{"k":%d}}' % 10**25
    with pytest.raises(ExpenseRefused) as refused:
        _expense(principal("u", "user"), body, "r1")
    assert refused.value.problem["status"] == 422
