"""Every bad body becomes a problem document that names the field and says how to mend it."""

import json
from typing import Any

import msgspec
import pytest

from actors.messages import Outcome, Problem
from engine.behaviour import FieldError
from serve.envelopes import TransactionRequest
from serve.problems import Trouble, of_outcome, of_validation

GOOD: dict[str, Any] = {"external_id": "T1", "source": "upi", "amount": 100, "currency": "INR"}
DECODER = msgspec.json.Decoder(TransactionRequest)


@pytest.mark.parametrize(
    ("bad", "field", "words"),
    [
        ({"amount": -1}, "amount", "expected `int` >= 0"),
        ({"amount": 1.5}, "amount", "whole number"),
        ({"amount": "12"}, "amount", "whole number"),
        ({"amount": None}, "amount", "got `null`"),
        ({"amount": 10**19}, "amount", "<= 9007199254740991"),
        ({"currency": "inr"}, "currency", "ISO 4217"),
        ({"external_id": ""}, "external_id", "length >= 1"),
        ({"external_id": "a\x00b"}, "external_id", "control characters"),
        ({"merchant": "a\x00b"}, "merchant", "control characters"),
        ({"occurred_at": "yesterday"}, "occurred_at", "RFC 3339"),
        ({"kind": "gift"}, "kind", "not one of the values"),
        ({"source": "a:b"}, "source", "letters, digits"),
        ({"mcc": "12"}, "mcc", "four digits"),
        ({"category": "Food!"}, "category", "slug"),
        ({"balance": 1}, "balance", "not a field here"),
        ({"location": {"altitude": 1}}, "location.altitude", "not a field here"),
        ({"metadata": {"a": {"b": 1}}}, "metadata[...]", "got `object`"),
        ({"metadata": {"a\x00": "b"}}, "metadata", "control characters"),
    ],
)
def test_a_bad_field_is_named_with_the_fix(bad: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        DECODER.decode(json.dumps({**GOOD, **bad}))
    trouble = of_validation(caught.value)
    assert trouble.status == 422
    assert [e.field for e in trouble.errors] == [field]
    assert words in trouble.errors[0].message


def test_a_missing_field_is_named() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        DECODER.decode(b'{"source": "upi", "amount": 1, "currency": "INR"}')
    assert of_validation(caught.value).document()["errors"] == [{"field": "external_id", "message": "is required"}]


@pytest.mark.parametrize(
    ("code", "status"),
    [("invalid", 422), ("not_found", 404), ("conflict", 409), ("forbidden", 403), ("key_reused", 422), ("poison", 500)],
)
def test_a_refusal_becomes_its_status(code: str, status: int) -> None:
    refused = Outcome("refused", problem=Problem(code, "why", [FieldError("amount", "less")], {"balance": 7}))
    document = of_outcome(refused).document()
    assert (document["status"], document["detail"], document["balance"]) == (status, "why", 7)
    assert document["errors"] == [{"field": "amount", "message": "less"}]


def test_not_available_now_says_when_to_come_again() -> None:
    trouble = of_outcome(Outcome("unavailable", problem=Problem("unavailable", "shard is moving")))
    assert trouble.status == 503
    assert int(trouble.headers["Retry-After"]) >= 1


def test_a_problem_document_has_the_members_of_rfc_9457() -> None:
    document = json.loads(Trouble(404, "There is no jar 'x'.").encode())
    assert set(document) >= {"type", "title", "status", "detail"}
    assert document["type"] == "/problems/not-found"
