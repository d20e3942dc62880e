"""What a refund writes, shows and refuses beside its worked examples (`tests/vectors/refunds.json`)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine import ledger
from engine.behaviour import Refused
from engine.commands import (
    CreateJar,
    DeleteJar,
    EditTransaction,
    ExpireRefund,
    LockJar,
    RecordTransaction,
    ReportResult,
    SweepNow,
    UndoRefund,
)
from engine.jars import activity, allocation
from engine.payments.parked import KEPT, PARKED_MAX
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


def settle_savings(person: Person) -> None:
    """Let what has accrued be swept, and the host say that it is done."""
    person.do(SweepNow(), AT)
    (instruction,) = person.state.settlement.open.values()
    person.do(ReportResult(instruction_id=instruction.instruction_id, status="done", reference="r"), AT)


def stages(person: Person) -> dict[str, int]:
    account = f"jar:{person.jar_id('Savings')}:"
    book = person.state.ledger.balances["INR"]
    return {name.removeprefix(account): amount for name, amount in book.items() if name.startswith(account)}


def test_what_is_on_its_way_to_the_jar_stays_and_the_next_refund_takes_its_part() -> None:
    person = bought(purchase())
    person.do(SweepNow(), AT)
    person.do(refund(), AT)
    assert stages(person) == {"scheduled": 275}
    (instruction,) = person.state.settlement.open.values()
    person.do(ReportResult(instruction_id=instruction.instruction_id, status="done", reference="r"), AT)
    person.do(refund(amount=10_000, external_id="R2"), AT)
    assert stages(person) == {}
    assert person.state.ledger.balance("returned", "INR") == 275


def test_a_locked_jar_keeps_what_is_settled_and_what_is_promised() -> None:
    person = bought(purchase())
    settle_savings(person)
    person.do(LockJar(jar_id=person.jar_id("Savings"), until="2026-12-20"), AT)
    person.do(refund(), AT)
    assert stages(person) == {"settled": 275}
    person.do(purchase(status="reversed"), AT)
    assert stages(person) == {"settled": 275}


def test_a_void_without_the_name_of_its_purchase_is_undone_in_the_next_turn() -> None:
    person = bought(purchase(), refund())
    person.do(refund(None, status="voided"), AT)
    assert person.answer()["transaction"]["status"] == "voided"
    assert person.ask(GetBurnRate(), AT)["spent"] == 10_000
    (turn,) = person.wait(AT)
    assert person.answer(turn)["effect"] == "voided"
    assert person.ask(GetBurnRate(), AT)["spent"] == 19_725
    assert person.wait(AT) == []
    views = {view.external_id: view for view in person.transactions.values()}
    assert (views["P"].refunded_amount, views["P"].refunds, views["R"].refund_of) == (0, [], None)
    assert replayed(person.bodies) == person.state


def test_the_undoing_of_a_refund_happens_once() -> None:
    person = bought(purchase(), refund(), refund(status="voided"))
    views = {view.external_id: view for view in person.transactions.values()}
    again = UndoRefund(transaction_id=views["R"].transaction_id, original_id=views["P"].transaction_id)
    assert person.do(again, AT).events == []


def test_a_linked_income_that_the_bank_reverses_gives_its_purchase_back_what_it_gave() -> None:
    person = bought(purchase(), purchase("C", 9_725, kind="income"))
    ids = {t.external_id: t.transaction_id for t in person.transactions.values()}
    person.do(EditTransaction(transaction_id=ids["C"], refund_of=ids["P"]), AT)
    person.do(purchase("C", 9_725, kind="income", status="reversed"), AT)
    person.wait(AT)
    assert person.state.ledger.balance("wallet", "INR") == -19_725
    assert person.transactions[ids["P"]].refunded_amount == 0
    assert person.state.ledger.balance("expense:food", "INR") == 19_725


def test_an_unmatched_refund_may_still_be_named_and_its_void_takes_the_income_back() -> None:
    person = bought(refund("X"), purchase("P"))
    late = AT + timedelta(days=181)
    person.wait(late)
    ids = {t.external_id: t.transaction_id for t in person.transactions.values()}
    assert person.transactions[ids["R"]].flags == ["unmatched_refund"]
    assert person.state.parked.waiting == {}
    person.do(EditTransaction(transaction_id=ids["R"], refund_of=ids["P"]), late)
    assert person.state.ledger.balance("income:refund", "INR") == 0
    assert person.transactions[ids["R"]].flags == []
    other = bought(refund("X"))
    other.wait(late)
    other.do(refund("X", status="voided"), late)
    assert other.state.ledger.balances.get("INR", {}) == {}
    assert [t.flags for t in other.transactions.values()] == [[]]


def test_a_parked_refund_that_found_its_purchase_expires_no_more() -> None:
    person = bought(refund(), purchase())
    assert not [name for name in person.timers if name.startswith("parked:")]
    named = next(t.transaction_id for t in person.transactions.values() if t.external_id == "R")
    assert person.do(ExpireRefund(transaction_id=named), AT).events == []


def test_an_amended_refund_without_the_name_of_its_purchase_is_refused() -> None:
    person = bought(purchase(), refund())
    with pytest.raises(Refused, match="must name the purchase"):
        person.do(refund(None, amount=5_000, revision=1), AT)


def test_an_amended_refund_is_never_above_what_is_left() -> None:
    person = bought(purchase(), refund())
    with pytest.raises(Refused) as caught:
        person.do(refund(amount=19_726, revision=1), AT)
    assert caught.value.extra == {"remaining": 19_725}


def test_a_refund_of_an_authorisation_follows_what_it_saved_into_another_jar() -> None:
    person = Person(at=AT)
    goa = person.do(CreateJar(name="Goa", priority=1), AT).events[0].jar_id
    person.do(purchase(status="authorised"), AT)
    person.do(DeleteJar(jar_id=goa, move_to=person.jar_id("Savings")), AT)
    person.do(refund(), AT)
    assert person.answer()["jar_postings"] == [{"jar_id": person.jar_id("Savings"), "amount": -136}]
    person.do(purchase(), AT)
    assert stages(person) == {"accrued": 139}
    assert person.state.holds == {}


def test_a_refund_that_waits_beside_a_declined_purchase_is_voided_out_of_its_waiting() -> None:
    person = bought(refund(), purchase(status="declined"), refund(status="voided"))
    assert person.state.ledger.balances["INR"] == {}
    person.do(purchase(), AT)
    assert person.answer()["transaction"]["refunded_amount"] == 0


def test_what_refunds_give_more_once_their_purchase_counts_is_given_back_today_when_its_month_is_over() -> None:
    person = Person(at=AT)
    long_ago = AT - timedelta(days=30)
    person.do(purchase(status="declined", occurred_at=long_ago, origin="service:bank"), AT)
    person.do(refund(origin="service:bank"), AT)
    assert person.state.ledger.balance("income:refund", "INR") == -9_725
    person.do(purchase(occurred_at=long_ago, origin="service:bank"), AT)
    assert person.state.ledger.balance("income:refund", "INR") == 0
    (view,) = [t for t in person.transactions.values() if t.external_id == "P"]
    assert [(part.local_date, part.amount) for part in view.refunds] == [(AT.date(), 9_725)]


def test_the_socket_shows_an_amended_refund_with_what_it_gives_now() -> None:
    turn = bought(purchase(), refund(amount=4_725), refund(revision=1)).turns[-1]
    first, second = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert (first["type"], first["data"]["effect"], first["data"]["amount"]) == (
        "transaction_changed",
        "amended",
        9_725,
    )
    assert (second["type"], second["data"]["effect"], second["data"]["amount"]) == (
        "transaction_refunded",
        "refunded",
        9_725,
    )


def test_the_socket_shows_a_refund_that_had_waited_for_a_late_success() -> None:
    turn = bought(refund(), purchase(status="declined"), purchase()).turns[-1]
    frames = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert [frame["type"] for frame in frames][:2] == ["transaction_changed", "transaction_refunded"]
    assert (frames[1]["data"]["external_id"], frames[1]["data"]["effect"]) == ("R", "refunded")


@pytest.mark.parametrize("status", ["voided", "reversed"])
def test_the_socket_shows_what_undoes_a_refund(status: Any) -> None:
    turn = bought(purchase(), refund(), refund(status=status)).turns[-1]
    (frame,) = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert (frame["type"], frame["data"]["effect"]) == ("transaction_changed", "voided")
    assert frame["data"]["jar_postings"][0]["amount"] == 136


def test_full_books_keep_no_parked_refund_from_becoming_income(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by review: its timer was refused and gone, and the money stayed parked for ever."""
    person = bought(refund())
    monkeypatch.setattr(ledger, "ACCOUNTS_MAX", 2)
    person.wait(AT + KEPT + timedelta(days=1))
    assert person.state.ledger.balance("parked", "INR") == 0
    assert person.state.ledger.balance("income:refund", "INR") == -9_725
