"""Bytes between client and shard: JSON bodies survive msgpack."""

from actors.messages import Frame, Outcome, Problem, Pull, Pulled
from actors.wire import (
    decode_envelopes,
    decode_outcomes,
    decode_pull,
    decode_pulled,
    encode_envelopes,
    encode_outcomes,
    encode_pull,
    encode_pulled,
)
from engine.behaviour import FieldError
from tests.support.counter import balance, pay


def test_envelopes_and_pulls_come_back_as_they_were() -> None:
    envelopes = [pay("u", "t1"), balance("v", opening=False)]
    assert decode_envelopes(encode_envelopes(envelopes)) == envelopes
    pull = Pull("g", "i", 7, {"u": 3}, ["v"], 2.5)
    assert decode_pull(encode_pull(pull)) == pull


def test_json_bodies_come_back_byte_for_byte() -> None:
    problem = Problem("invalid", "no", [FieldError("amount", "too small")], {"limit": 3})
    outcomes = [Outcome("done", 7, b'{"a": [1, "\xc3\xa9"]}'), Outcome("refused", problem=problem)]
    assert decode_outcomes(encode_outcomes(outcomes)) == outcomes
    pulled = Pulled("i", 9, True, [Frame("u", 3, "2026-01-01T00:00:00Z", b'[{"type":"x"}]')], {"u": 3})
    assert decode_pulled(encode_pulled(pulled)) == pulled
