"""What crosses the wire and what the journal keeps: nothing hostile gets in, and what got in comes out the same."""

import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine import commands as c
from engine import queries
from engine.behaviour import Prediction, Refused
from tests.support.person import BEHAVIOUR, Person, replayed

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
DECODER = msgspec.json.Decoder(c.RecordTransaction)
BASE: dict[str, Any] = {
    "type": "record_transaction",
    "external_id": "E1",
    "source": "upi",
    "amount": 19_725,
    "currency": "INR",
}
COMMANDS: list[c.Command] = [
    c.OpenUser(currency="JPY", time_zone="Asia/Tokyo", name="Aiko", phone="1", auto_saving="paused"),
    c.UpdateProfile(rounding=c.RoundingPatch(unit=None, floor=5), auto_saving=c.AutoSaving(until=date(2026, 12, 1))),
    c.RecordTransaction(
        external_id="E1",
        source="upi",
        amount=1,
        currency="INR",
        occurred_at=AT,
        location=c.Location(lat=1.5, lng=2.5, city="Goa"),
        metadata={"a": 1, "b": "x", "c": None, "d": True},
    ),
    c.EditTransaction(transaction_id="T", note=None),
    c.EditTransaction(transaction_id="T", refund_of="U"),
    c.CreateJar(name="Goa", deadline=date(2027, 1, 1), plan=c.Plan(every="day", amount=5)),
    c.EditJar(jar_id="J", plan=None),
    c.DeleteJar(jar_id="J", move_to="K"),
    c.DepositToJar(jar_id="J", amount=5),
    c.SetBudget(category="food", limit=0, period="weekly", starts_on=7),
    c.DeleteBudget(category="food"),
]
QUERIES: list[queries.Query] = [
    queries.GetOverview(),
    queries.GetProfile(),
    queries.GetJars(limit=2, cursor="x"),
    queries.GetJar(jar_id="J"),
    queries.GetBudgets(limit=500),
    queries.GetBurnRate(),
    queries.GetStreaks(),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_is_the_same_after_the_wire(command: c.Command) -> None:
    assert BEHAVIOUR.decode_command(msgspec.msgpack.encode(command)) == command


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
def test_a_query_is_the_same_after_the_wire(query: queries.Query) -> None:
    assert BEHAVIOUR.decode_query(msgspec.msgpack.encode(query)) == query


def test_a_default_given_and_a_field_left_out_are_the_same_bytes() -> None:
    given = c.RecordTransaction(external_id="E1", source="upi", amount=1, currency="INR", kind="purchase", revision=0)
    left_out = c.RecordTransaction(external_id="E1", source="upi", amount=1, currency="INR")
    assert msgspec.msgpack.encode(given) == msgspec.msgpack.encode(left_out)


def test_every_event_comes_back_from_the_journal_as_it_was() -> None:
    person = Person(c.OpenUser(auto_saving="on"), AT)
    commands: list[c.Command] = [
        c.SetBudget(category="food", limit=10_000),
        c.RecordTransaction(external_id="E1", source="upi", amount=19_725, currency="INR", category="food"),
        c.CreateJar(name="Goa", target_amount=100, priority=1),
        c.DepositToJar(jar_id="019aa000-0000-7000-8000-000000000006", amount=60),
        c.EditJar(jar_id="019aa000-0000-7000-8000-000000000006", priority=2),
        c.EditTransaction(transaction_id="019aa000-0000-7000-8000-000000000003", category="travel", note="lunch"),
        c.RecordTransaction(
            external_id="R1", source="upi", amount=725, currency="INR", kind="refund", original_external_id="E1"
        ),
        c.UpdateProfile(time_zone="Asia/Tokyo", monthly_budget=5),
        c.DeleteJar(jar_id="019aa000-0000-7000-8000-000000000006", move_to=person.jar_id("Savings")),
        c.DeleteBudget(category="food"),
    ]
    for command in commands:
        person.do(command, AT)
    seen = {type(event).__name__ for turn in person.turns for event in turn.events}
    assert len(seen) == 18, seen
    assert replayed(person.bodies) == person.state
    for turn, body in zip(person.turns, person.bodies, strict=True):
        events, result = BEHAVIOUR.decode_turn(body)
        assert BEHAVIOUR.encode_turn(events, result) == body
        assert BEHAVIOUR.answer(turn) == BEHAVIOUR.answer(msgspec.structs.replace(turn, events=events, result=result))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", -1),
        ("amount", 1.0),
        ("amount", True),
        ("amount", "100"),
        ("amount", c.AMOUNT_MAX + 1),
        ("currency", "inr"),
        ("currency", "INR\n"),
        ("source", "upi\n"),
        ("source", "../etc"),
        ("external_id", ""),
        ("external_id", "a\n"),
        ("external_id", "a\x00"),
        ("external_id", "x" * 129),
        ("description", "a\x00b"),
        ("description", "x" * 501),
        ("merchant", "\x7f"),
        ("category", "Food"),
        ("category", "food\n"),
        ("mcc", "54a1"),
        ("mcc", "٥٤١١"),
        ("kind", "gift"),
        ("status", "done"),
        ("revision", -1),
        ("balance_after", 10**30),
        ("occurred_at", "yesterday"),
        ("occurred_at", "2026-11-20T23:59:60Z"),
        ("location", {"lat": 91}),
        ("location", {"lat": 1, "altitude": 3}),
        ("metadata", {"a": {"b": 1}}),
        ("metadata", {"a": 1.5}),
        ("metadata", {"a": 10**30}),
        ("metadata", {str(number): 1 for number in range(21)}),
        ("colour", "red"),
    ],
)
def test_a_bad_field_is_refused_at_the_edge(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        DECODER.decode(json.dumps({**BASE, field: value}))


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udc00"', "NaN", "1e400"])
def test_what_is_no_json_text_is_refused(text: str) -> None:
    raw = msgspec.json.encode(BASE)[:-1] + f', "description": {text}}}'.encode()
    with pytest.raises(msgspec.DecodeError):
        DECODER.decode(raw)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_location_is_a_number(value: float) -> None:
    raw = msgspec.msgpack.encode({**BASE, "location": {"lat": value}})
    with pytest.raises(msgspec.ValidationError):
        BEHAVIOUR.decode_command(raw)


def test_a_time_without_an_offset_is_refused_by_name() -> None:
    person = Person(at=AT)
    command = DECODER.decode(json.dumps({**BASE, "occurred_at": "2026-11-20T09:00:00"}))
    with pytest.raises(Refused) as caught:
        person.do(command, AT)
    assert [error.field for error in caught.value.errors] == ["occurred_at"]


def test_a_time_before_1970_is_refused() -> None:
    person = Person(at=AT)
    with pytest.raises(Refused, match="before 1970"):
        person.do(
            msgspec.structs.replace(DECODER.decode(json.dumps(BASE)), occurred_at=datetime.min.replace(tzinfo=UTC)), AT
        )


def test_what_the_models_say_is_kept_in_the_event() -> None:
    person = Person(at=AT)
    person.do(DECODER.decode(json.dumps(BASE)), AT, Prediction("food", 0.7, "mcc", "Zomato"))
    answer = person.answer()
    assert (answer["category"], answer["confidence"]) == ("food", 0.7)
    assert answer["transaction"]["merchant"]["name"] == "Zomato"
    assert answer["transaction"]["category_by"] == "mcc"


def test_the_receipt_of_a_duplicate_is_the_first_one_with_its_mark() -> None:
    person = Person(at=AT)
    turn = person.do(DECODER.decode(json.dumps(BASE)), AT + timedelta(seconds=1))
    first, again = (msgspec.json.decode(BEHAVIOUR.answer(turn, duplicate=flag)) for flag in (False, True))
    assert (first.pop("duplicate"), again.pop("duplicate")) == (False, True)
    assert first == again


def test_the_socket_shows_the_receipt_and_then_its_alerts() -> None:
    person = Person(at=AT)
    person.do(c.SetBudget(category="food", limit=10_000), AT)
    turn = person.do(DECODER.decode(json.dumps({**BASE, "category": "food"})), AT)
    pushed = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert [frame["type"] for frame in pushed] == ["transaction_recorded", "budget_exceeded", "badge_earned", "badge"]
    assert pushed[0]["data"] == person.answer(turn)
    assert [pushed[1]["data"], pushed[3]["data"]] == person.answer(turn)["alerts"]


def test_the_socket_shows_a_budget_set_with_the_profile_as_a_budget() -> None:
    person = Person(at=AT)
    turn = person.do(c.UpdateProfile(monthly_budget=5_000), AT)
    pushed = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert [frame["type"] for frame in pushed] == ["profile_updated", "budget_set"]
    assert pushed[0]["data"]["monthly_budget"] == 5_000
    assert (pushed[1]["data"]["category"], pushed[1]["data"]["limit"]) == ("overall", 5_000)


def test_a_turn_writes_its_transaction_and_its_alerts_beside_it() -> None:
    person = Person(at=AT)
    person.do(c.SetBudget(category="food", limit=10_000), AT)
    turn = person.do(DECODER.decode(json.dumps({**BASE, "category": "food"})), AT)
    rows = BEHAVIOUR.rows(turn)
    assert [(row.external_id, row.amount, row.category) for row in rows.transactions] == [("E1", 19_725, "food")]
    assert [(row.type, row.seq) for row in rows.alerts] == [("budget_exceeded", turn.seq), ("badge", turn.seq)]
    assert BEHAVIOUR.decode_transaction(rows.transactions[0].sealed).description is None
