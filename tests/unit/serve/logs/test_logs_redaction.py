"""What must never be read in a log."""

import psycopg
import pytest

from actors.journal import DataRejected
from serve.logs.redaction import error_text, is_card, redacted

JWT = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJzdWIiOiJhc2hhIn0.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"the token {JWT} is late", "the token *** is late"),
        (f"Authorization: Bearer {JWT}", "Authorization: ***"),
        ("sent bearer abc.def", "sent bearer ***"),
        ('{"t": "auth", "ticket": "t1-abc", "n": 1}', '{"t": "auth", "ticket": ***, "n": 1}'),
        ("{'password': 'correct horse'}", "{'password': ***}"),
        ('"WebSocket /api/v1/live?ticket=abc123" [accepted]', '"WebSocket /api/v1/live?ticket=***" [accepted]'),
        ("connecting to postgresql://boond:hunter2@db/boond", "connecting to postgresql://boond:***@db/boond"),
        ("code: 482913", "code: ***"),
        ("your code=482913.", "your code=***."),
        ("paid with 4111 1111 1111 1111 today", "paid with *** today"),
        ("paid with 4111-1111-1111-1111", "paid with ***"),
        ("card 378282246310005", "card ***"),
        ("refresh " + "aB3-" * 10 + "xYz", "refresh ***"),
        ("no account of asha.rao+1@example.co.in", "no account of ***"),
        ("duplicate key\nDETAIL:  Key (email)=(x) already exists.\nmore", "duplicate key\nDETAIL: ***\nmore"),
        ('invalid input syntax for type uuid: "lunch with Ravi"', "invalid input syntax for type uuid: ***"),
    ],
)
def test_a_secret_is_gone(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "POST /transactions 201",
        "closed with code 4108",
        "shard 3 works in term 12",
        "letter xfer:0197a2c4-5d1e-7cc0-b1f2-9d3e4a5b6c7d:credit was refused by ravi: conflict",
        "timer bell, due 2026-01-01T00:01:00.123456+00:00, failed",
        "4111 1111 1111 1112 is no card, 1700000000000000000 is a time",
        "SHA-256 " + "0f" * 32,
        "main/asha-1",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert redacted(text) == text


def test_luhn() -> None:
    assert is_card("4539 1488 0343 6467")
    assert not is_card("4539 1488 0343 6468")


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def test_an_exception_that_may_quote_a_user_says_where_it_came_from_and_no_more() -> None:
    told = error_text(raised(ValueError("could not convert 'dinner with Ravi'")))
    assert "Ravi" not in told
    assert "test_logs_redaction.py" in told
    assert told.endswith("ValueError: (words withheld: they may quote a user)")
    assert "dinner" not in error_text(raised(KeyError("dinner")))
    assert "dinner" not in error_text(raised(TypeError("no number"), cause=ValueError("dinner")))


def test_exceptions_of_ours_and_of_the_machine_speak() -> None:
    assert error_text(raised(DataRejected("seq 3 is taken"))).endswith("DataRejected: seq 3 is taken")
    assert "Connection refused" in error_text(raised(ConnectionRefusedError(111, "Connection refused")))
    told = error_text(raised(psycopg.errors.UniqueViolation("duplicate key\nDETAIL:  Key (email)=(x@y.z) exists")))
    assert "duplicate key" in told
    assert "x@y.z" not in told


def test_a_chain_of_causes_that_bites_its_tail_ends() -> None:
    one, other = ValueError("a"), TypeError("b")
    one.__cause__, other.__cause__ = other, one
    assert error_text(one).count("from:") == 1
