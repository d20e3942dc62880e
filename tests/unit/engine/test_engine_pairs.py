"""Reports that belong together: bounds of what is remembered, and that their order does not matter."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.accounts.pairs import REJECTED_MAX, SEEN_MAX, reference_key
from engine.behaviour import Refused
from engine.commands import CreateAccount, MergeDuplicate, OpenUser, RecordTransaction, RejectTransfer
from tests.support.person import Person, replayed

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
RRN = "423456789012"


def person_with_accounts() -> tuple[Person, str, str]:
    person = Person(OpenUser(auto_saving="on"), AT)
    for name in ("HDFC", "Wallet"):
        person.do(CreateAccount(name=name, account_type="bank", currency="INR"), AT)
    bank, wallet = person.state.accounts
    return person, bank, wallet


def report(external_id: str, **fields: Any) -> RecordTransaction:
    said: dict[str, Any] = {"source": "bank", "amount": 19_725, "currency": "INR", "occurred_at": AT} | fields
    return RecordTransaction(external_id=external_id, **said)


def by_name(person: Person, name: str) -> Any:
    return next(one for one in person.transactions.values() if one.external_id == name)


def test_a_payment_without_reference_and_accounts_is_not_remembered() -> None:
    person = Person(OpenUser(auto_saving="on"), AT)
    person.do(report("A", merchant="Zomato"), AT)
    assert not person.state.pairs.seen


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    person = Person(OpenUser(auto_saving="on"), AT)
    for number in range(SEEN_MAX + 5):
        person.do(report(f"A{number}", reference=f"4234{number:08d}"), AT)
    pairs = person.state.pairs
    assert len(pairs.seen) == len(pairs.by_reference) == SEEN_MAX
    assert next(iter(pairs.seen)) == by_name(person, "A5").transaction_id


def test_vetoes_are_bounded_and_a_replay_is_the_same() -> None:
    person, bank, _ = person_with_accounts()
    for number in range(REJECTED_MAX + 3):
        at = AT + timedelta(days=6 * number)
        spend = {"occurred_at": at, "account_id": bank, "kind": "p2p"}
        person.do(report(f"O{number}", **spend), at)
        into = {"occurred_at": at, "account_id": "elsewhere", "kind": "income"}
        person.do(report(f"I{number}", **into), at)
        person.do(RejectTransfer(transaction_id=by_name(person, f"I{number}").transaction_id), at)
    assert len(person.state.pairs.rejected) == REJECTED_MAX
    assert replayed(person.bodies, snapshot_at=7) == person.state


@pytest.mark.parametrize(
    ("reference", "is_one"),
    [
        ("423456789012", True),
        ("HDFCN52023111512345678", True),
        ("74537502341234567890123", True),
        ("  4234 5678 9012 ", True),
        ("RENT", False),
        ("INV-2026-001", False),
        ("12345678", False),
        ("NOVEMBERRENT1", False),
        ("4" * 36, False),
        (None, False),
    ],
)
def test_what_is_a_bank_reference(reference: str | None, is_one: bool) -> None:
    assert (reference_key(reference, "debit", 1, "INR") is not None) == is_one


def test_an_authorisation_that_settled_for_another_amount_is_no_twin_of_the_held_one() -> None:
    person = Person(OpenUser(auto_saving="on"), AT)
    person.do(report("A", source="sms", status="authorised", reference=RRN), AT)
    person.do(report("A", source="sms", amount=20_000, reference=RRN), AT)
    turn = person.do(report("B", reference=RRN), AT)
    assert person.answer(turn)["effect"] == "recorded"


def test_a_voided_payment_swallows_no_report() -> None:
    person = Person(OpenUser(auto_saving="on"), AT)
    person.do(report("A", source="sms", reference=RRN), AT)
    person.do(report("A", source="sms", status="reversed", reference=RRN), AT)
    turn = person.do(report("B", reference=RRN), AT)
    assert person.answer(turn)["effect"] == "recorded"


def test_a_merge_whose_reason_is_gone_when_its_timer_fires_changes_nothing() -> None:
    person = Person(OpenUser(auto_saving="on"), AT)
    person.do(report("A", source="sms", status="authorised", reference=RRN), AT)
    person.do(report("B", reference=RRN), AT)
    a, b = by_name(person, "A").transaction_id, by_name(person, "B").transaction_id
    person.do(report("A", source="sms", reference=RRN), AT)
    turn = person.do(MergeDuplicate(transaction_id=a, other_id=b, by="rule"), AT)
    assert turn.events == []


def test_a_refusal_names_the_transaction_and_the_way_out() -> None:
    person, bank, wallet = person_with_accounts()
    person.do(report("O", account_id=bank, kind="p2p"), AT)
    person.do(report("I", account_id=wallet, kind="income"), AT)
    person.wait(AT)
    person.do(report("X", kind="income", amount=5), AT)
    leg, other = by_name(person, "I").transaction_id, by_name(person, "X").transaction_id
    with pytest.raises(Refused, match="DELETE its transfer-match first"):
        person.do(MergeDuplicate(transaction_id=leg, other_id=other), AT)


_LEGS = ["out", "in", "twin", "spend"]


@given(st.permutations(_LEGS), st.sampled_from(["p2p", "transfer", "purchase"]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_was_spent_does_not_depend_on_the_order_of_legs_and_reports(
    order: list[str], kind: str, is_held: bool
) -> None:
    assert spent(order, kind, is_held) == spent(_LEGS, kind, is_held)


def spent(order: list[str], kind: str, is_held: bool) -> Any:
    person, bank, wallet = person_with_accounts()
    reports = {
        "out": report("OUT", account_id=bank, kind=kind),
        "in": report("IN", account_id=wallet, kind="income"),
        "twin": report("T", source="sms", reference=RRN, amount=500, status="authorised" if is_held else "settled"),
        "spend": report("S", reference=RRN, amount=500, merchant="Zomato", category="food"),
    }
    for name in order:
        person.do(reports[name], AT)
        person.wait(AT)
    overview = person.overview(AT)
    books = {name: amount for name, amount in person.state.ledger.balances["INR"].items() if "jar" not in name}
    books.pop("promised", None)
    return overview["burn_rate"]["spent"], books
