"""What a refund writes, shows and refuses beside its worked examples (`tests/vectors/refunds.json`)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine import activity, allocation
from engine.behaviour import Refused
from engine.commands import CreateJar, DeleteJar, EditTransaction, RecordTransaction
from engine.parked import PARKED_MAX
from engine.queries import GetBurnRate
from tests.support.person import BEHAVIOUR, Person, replayed

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def purchase(external_id: str = "P", amount: int = 19_725, **fields: Any) -> RecordTransaction:
    fields = {"source": "upi", "currency": "INR", "category": "food", "merchant": "Zomato"} | fields
    return RecordTransaction(external_id=external_id, amount=amount, **fields)


def refund(of: str | None = "P", amount: int = 9_725, external_id: str = "R", **fields: Any) -> RecordTransaction:
    return purchase(external_id, amount, kind="refund", original_external_id=of, **fields)


def bought(*commands: RecordTransaction) -> Person:
    person = Person(at=AT)
    for command in commands:
        person.do(command, AT)
    return person


def test_a_refund_writes_its_own_row_and_its_purchases_anew() -> None:
    person = bought(purchase(), refund())
    rows = BEHAVIOUR.rows(person.turns[-1]).transactions
    assert [(row.external_id, row.kind, row.direction) for row in rows] == [
        ("P", "purchase", "debit"),
        ("R", "refund", "credit"),
    ]
    original, credit = (BEHAVIOUR.decode_transaction(row.sealed) for row in rows)
    assert (original.refunded_amount, original.round_up.amount, original.taken_back[0].amount) == (9_725, 275, 136)
    assert (credit.refund_of, credit.amount) == (original.transaction_id, 9_725)


def test_the_purchase_that_a_refund_had_waited_for_writes_both_rows() -> None:
    person = bought(refund(), purchase())
    rows = BEHAVIOUR.rows(person.turns[-1]).transactions
    original, credit = (BEHAVIOUR.decode_transaction(row.sealed) for row in rows)
    assert (original.external_id, original.refunded_amount) == ("P", 9_725)
    assert (credit.external_id, credit.flags, credit.refund_of) == ("R", [], original.transaction_id)
    assert person.answer()["transaction"]["refunded_amount"] == 9_725


def test_the_socket_shows_a_refund_with_its_receipt() -> None:
    person = bought(purchase(), refund())
    (frame,) = msgspec.json.decode(BEHAVIOUR.push(person.turns[-1]))
    assert (frame["type"], frame["data"]) == ("transaction_refunded", person.answer())
    assert frame["data"]["effect"] == "refunded"


def test_the_socket_shows_a_refund_that_had_waited_after_its_purchase() -> None:
    person = bought(refund(), purchase())
    first, second, *_ = msgspec.json.decode(BEHAVIOUR.push(person.turns[-1]))
    assert (first["type"], first["data"]) == ("transaction_recorded", person.answer())
    assert (second["type"], second["data"]["effect"]) == ("transaction_refunded", "refunded")
    assert (second["data"]["external_id"], second["data"]["jar_postings"][0]["amount"]) == ("R", -136)


def test_a_linked_credit_is_answered_as_a_transaction_and_pushed_as_a_receipt() -> None:
    person = bought(purchase(), purchase("C", 9_725, kind="income"))
    ids = {t.external_id: t.transaction_id for t in person.transactions.values()}
    turn = person.do(EditTransaction(transaction_id=ids["C"], refund_of=ids["P"]), AT)
    assert (person.answer()["kind"], person.answer()["refund_of"]) == ("refund", ids["P"])
    (frame,) = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert (frame["type"], frame["data"]["effect"]) == ("transaction_refunded", "refunded")


def test_the_receipt_of_a_refund_sent_again_is_the_first_one_with_its_mark() -> None:
    turn = bought(purchase(), refund()).turns[-1]
    first, again = (msgspec.json.decode(BEHAVIOUR.answer(turn, duplicate=flag)) for flag in (False, True))
    assert again == {**first, "duplicate": True}


def test_a_jar_says_what_a_refund_took_back() -> None:
    person = bought(purchase(), refund())
    (entry,) = activity.of_turn(person.turns[-1], person.jar_id("Savings"))
    original = next(t for t in person.transactions.values() if t.external_id == "P")
    assert (entry.type, entry.amount, entry.merchant) == ("round_up_reversed", -136, "Zomato")
    assert entry.refund_of == original.transaction_id


def test_a_jar_says_what_came_and_went_in_the_turn_of_a_purchase_that_a_refund_had_waited_for() -> None:
    person = bought(refund(), purchase())
    entries = activity.of_turn(person.turns[-1], person.jar_id("Savings"))
    assert [(entry.type, entry.amount) for entry in entries] == [("round_up", 275), ("round_up_reversed", -136)]


def test_the_refusal_of_too_much_names_what_is_left() -> None:
    person = bought(purchase(), refund())
    with pytest.raises(Refused) as caught:
        person.do(refund(amount=10_001, external_id="R2"), AT)
    assert caught.value.extra == {"remaining": 10_000}
    assert [error.field for error in caught.value.errors] == ["amount"]
    assert person.seq == 3


def test_a_jar_gives_no_more_than_it_has_and_the_next_refund_takes_no_others_part() -> None:
    person = Person(at=AT)
    goa = person.do(CreateJar(name="Goa", target_amount=100, cap_at_target=True, priority=1), AT).events[0].jar_id
    person.do(purchase(), AT)
    person.do(DeleteJar(jar_id=goa, move_to=person.jar_id("Savings")), AT)
    person.do(refund(), AT)
    assert person.answer()["jar_postings"] == [{"jar_id": person.jar_id("Savings"), "amount": -87}]
    person.do(refund(amount=10_000, external_id="R2"), AT)
    assert person.answer()["jar_postings"] == [{"jar_id": person.jar_id("Savings"), "amount": -88}]
    assert person.state.jars[person.jar_id("Savings")].saved == 100


def test_parked_refunds_are_bounded_and_room_comes_back_after_180_days() -> None:
    person = bought(*(refund(f"P{n}", external_id=f"R{n}") for n in range(PARKED_MAX)))
    with pytest.raises(Refused, match="wait for their purchases"):
        person.do(refund("more"), AT + timedelta(days=180))
    person.do(refund("more"), AT + timedelta(days=180, seconds=1))
    assert len(person.state.parked.waiting) == 1
    person.do(refund(None, external_id="unnamed"), AT + timedelta(days=181))
    assert len(person.state.parked.waiting) == 1


def test_an_edit_of_a_parked_refund_is_there_when_its_purchase_comes() -> None:
    person = bought(refund())
    credit = next(iter(person.transactions.values()))
    person.do(EditTransaction(transaction_id=credit.transaction_id, note="the red shoes", category="travel"), AT)
    person.do(purchase(), AT)
    after = person.transactions[credit.transaction_id]
    assert (after.note, after.category, after.refund_of is not None) == ("the red shoes", "food", True)
    assert replayed(person.bodies) == person.state


def test_what_was_given_back_of_another_month_never_projects_a_negative_pace() -> None:
    person = Person(at=AT)
    person.do(purchase(amount=19_725, occurred_at=AT - timedelta(days=2)), AT)
    later = AT + timedelta(days=12)
    person.do(refund(amount=19_725), later)
    shown = person.ask(GetBurnRate(), later)
    assert (shown["spent"], shown["weighted_per_day"]) == (-19_725, 0)
    assert shown["projected"]["low"] <= shown["projected"]["mid"] <= shown["projected"]["high"]


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [(136, [100, 175], [49, 87]), (1, [1, 1], [1, 0]), (0, [5], [0]), (7, [1, 1, 1], [3, 2, 2])],
)
def test_parts_by_largest_remainder_are_the_whole(amount: int, weights: list[int], parts: list[int]) -> None:
    assert allocation.split(amount, weights) == parts
    assert sum(parts) == amount
