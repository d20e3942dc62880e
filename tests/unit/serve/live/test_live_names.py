"""The travel app's names for what a turn tells, from turns that a real user made."""

import json
from datetime import UTC, datetime
from typing import Any

from actors.messages import Frame
from engine.commands import RecordTransaction, SetBudget
from serve.live.names import translator
from serve.live.protocol import encode_turn
from tests.support.person import BEHAVIOUR, Person

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def told(person: Person, names: Any) -> list[dict[str, Any]]:
    turn = person.turns[-1]
    frame = encode_turn(Frame(turn.entity_id, turn.seq, turn.at.isoformat(), BEHAVIOUR.push(turn)))
    translated = json.loads(translator(names)(frame))
    assert (translated["t"], translated["seq"]) == ("turn", turn.seq)
    events: list[dict[str, Any]] = translated["events"]
    return events


def spent(amount: int, **fields: Any) -> Person:
    person = Person(at=AT)
    person.do(SetBudget(category="food", limit=10_000), AT)
    report = {"external_id": "q1", "source": "qris", "currency": "INR", "category": "food"} | fields
    person.do(RecordTransaction(amount=amount, **report), AT)
    return person


def test_a_new_expense_is_created_and_synced() -> None:
    person = spent(4_500)
    first, last = (event for event in told(person, "jatour") if not event["type"].startswith("badge"))
    assert first == {"type": "expense_created", "data": told(person, "boond")[0]["data"]}
    receipt = first["data"]
    assert last == {
        "type": "sync_completed",
        "data": {
            "transaction_id": receipt["transaction_id"],
            "external_id": "q1",
            "source": "qris",
            "effect": "recorded",
        },
    }


def test_a_budget_that_is_passed_is_a_threshold_too() -> None:
    person = spent(10_500)
    assert "budget_exceeded" in [event["type"] for event in told(person, "boond")]
    types = [event["type"] for event in told(person, "jatour")]
    assert "budget_threshold" in types
    assert "budget_exceeded" not in types


def test_income_is_no_expense_but_is_synced() -> None:
    person = spent(4_500, kind="income", category=None)
    assert [event["type"] for event in told(person, "jatour")] == ["transaction_recorded", "sync_completed"]


def test_what_is_about_no_transaction_keeps_its_name() -> None:
    person = Person(at=AT)
    person.do(SetBudget(category="food", limit=10_000), AT)
    assert told(person, "jatour") == told(person, "boond")


def test_our_own_names_change_nothing() -> None:
    frame = encode_turn(Frame("main/u1", 3, AT.isoformat(), b'[{"type":"transaction_recorded","data":{}}]'))
    assert translator("boond")(frame) is frame
