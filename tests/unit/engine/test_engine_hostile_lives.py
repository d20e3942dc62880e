"""Payments, refunds and reports of other sources met in unkind order: money is neither lost nor counted twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from engine.accounts.rate_book import DatedRate
from engine.behaviour import Refused
from engine.commands import CreateAccount, MergeDuplicate, RecordTransaction, RejectDuplicate, ReportResult, SweepNow
from engine.views import TransactionView
from tests.support.person import Person, replayed

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
REFERENCE = "412345678901"


def report(external_id: str = "P", amount: int = 19_725, status: Any = "settled", **fields: Any) -> RecordTransaction:
    fields = {"source": "card", "currency": "INR", "category": "food", "origin": "service:bank"} | fields
    return RecordTransaction(external_id=external_id, amount=amount, status=status, **fields)


def refund(external_id: str = "R", amount: int = 9_725, status: Any = "settled", **fields: Any) -> RecordTransaction:
    fields = {"kind": "refund", "category": None, "original_external_id": "P"} | fields
    return report(external_id, amount, status, **fields)


def told(*commands: Any) -> Person:
    person = Person(at=AT)
    for command in commands:
        person.do(command, AT)
        person.wait(AT)
    return person


def view(person: Person, external_id: str, source: str = "card") -> TransactionView:
    found: TransactionView
    (found,) = (one for one in person.transactions.values() if (one.external_id, one.source) == (external_id, source))
    return found


def books(person: Person) -> dict[str, int]:
    assert replayed(person.bodies) == person.state
    return {
        account: amount
        for account, amount in person.state.ledger.balances["INR"].items()
        if not account.startswith("jar:") and account != "promised"
    }


def test_another_report_of_a_parked_refund_does_not_take_it_from_its_purchase() -> None:
    again = refund("R2", source="upi", reference=REFERENCE, original_external_id=None)
    person = told(refund(reference=REFERENCE), again, report())
    second = view(person, "R2", "upi")
    assert (second.status, second.duplicate and second.duplicate.of) == ("duplicate", view(person, "R").transaction_id)
    assert view(person, "R").reports == [second.transaction_id], "told from the state once the purchase came"
    assert view(person, "P").refunded_amount == 9_725
    assert books(person) == {"expense:food": 10_000, "wallet": -10_000}


@pytest.mark.parametrize("commands", [(report(), refund()), (refund(),)])
@pytest.mark.parametrize("last", [refund(status="voided", amount=0), refund(amount=5_000, revision=1)])
def test_an_account_follows_a_refund_that_is_amended_or_void(commands: Any, last: RecordTransaction) -> None:
    person = Person(at=AT)
    account = (
        person.do(
            CreateAccount(
                name="Card", account_type="bank", currency="INR", external_id="acc", balance=100_000, balance_at=AT
            ),
            AT,
        )
        .events[0]
        .account_id
    )
    later = AT + timedelta(hours=1)
    for command in (*commands, last):
        person.do(_on(command, "acc"), later)
        person.wait(later)
    gained = 0 if last.status == "voided" else 5_000
    paid = 19_725 if len(commands) == 2 else 0
    assert person.state.accounts[account].balance == 100_000 - paid + gained


def _on(command: RecordTransaction, account: str) -> RecordTransaction:
    return structs.replace(command, account_id=account)


def test_what_a_refund_gave_stays_in_the_wallet_when_its_payment_turns_out_to_be_a_transfer() -> None:
    person = told(report(), refund(), report(kind="transfer", category=None, revision=1))
    assert books(person) == {"own": 19_725, "wallet": -10_000, "income:refund": -9_725}
    person.do(report(revision=2), AT)
    assert books(person) == {"expense:food": 10_000, "wallet": -10_000}


def test_an_authorisation_that_turns_out_to_be_of_a_hotel_is_held_as_long_as_it_says() -> None:
    person = told(report(status="pending"), report(status="authorised", mcc="7011"))
    life = view(person, "P").life
    assert life is not None
    assert life.expires_at == AT + timedelta(days=31)
    person.wait(AT + timedelta(days=30))
    assert view(person, "P").status == "authorised"
    person.wait(AT + timedelta(days=31))
    assert view(person, "P").status == "expired"


def test_a_late_success_is_held_as_long_as_it_says() -> None:
    person = told(report(status="declined"))
    later = AT + timedelta(days=13)
    person.do(report(status="authorised"), later)
    person.wait(later + timedelta(days=13))
    assert view(person, "P").status == "authorised"
    person.wait(later + timedelta(days=14))
    assert view(person, "P").status == "expired"


def test_a_merge_takes_no_more_from_a_jar_than_it_has() -> None:
    own = report("H", origin="user", source="app")
    person = told(report(), SweepNow(), report(amount=20_000, revision=1), own)
    ids = {name: view(person, name, source).transaction_id for name, source in (("P", "card"), ("H", "app"))}
    person.do(MergeDuplicate(transaction_id=ids["H"], other_id=ids["P"]), AT)
    stages = {name: amount for name, amount in person.state.ledger.balances["INR"].items() if name.startswith("jar:")}
    assert all(amount >= 0 for amount in stages.values()), stages


def test_another_report_of_a_leg_of_a_transfer_is_a_duplicate() -> None:
    person = Person(at=AT)
    for name in ("one", "two"):
        person.do(CreateAccount(name=name, account_type="bank", currency="INR", external_id=name), AT)
    out = report("OUT", kind="p2p", account_id="one", reference=REFERENCE)
    into = report("IN", kind="income", account_id="two", category=None)
    for command in (out, into, report("OUT2", kind="p2p", account_id="one", source="upi", reference=REFERENCE)):
        person.do(command, AT)
        person.wait(AT)
    assert view(person, "OUT").kind == "transfer"
    assert view(person, "OUT2", "upi").status == "duplicate"
    assert "expense:food" not in books(person)


def test_a_parked_refund_finds_a_payment_that_turns_out_to_be_a_spend() -> None:
    person = told(refund(), report(kind="transfer", category=None), report(revision=1))
    assert books(person) == {"expense:food": 10_000, "wallet": -10_000}


def test_a_refund_of_a_provider_takes_the_place_of_the_income_a_person_wrote_down() -> None:
    by_hand = report("H", 9_725, kind="income", category=None, origin="user", source="app", reference=REFERENCE)
    for order in ((by_hand, refund(reference=REFERENCE)), (refund(reference=REFERENCE), by_hand)):
        person = told(report(), *order)
        assert books(person) == {"expense:food": 10_000, "wallet": -10_000}


def test_a_refund_and_an_income_of_one_reference_are_the_refund_in_any_order() -> None:
    income = report("I", 9_725, kind="income", category=None, source="bank", reference=REFERENCE)
    for order in ((income, refund(reference=REFERENCE)), (refund(reference=REFERENCE), income)):
        person = told(report(), *order)
        assert books(person) == {"expense:food": 10_000, "wallet": -10_000}


def test_two_reports_of_one_refund_by_hand_and_by_a_provider_give_back_once() -> None:
    own: dict[str, Any] = {"origin": "user", "source": "app"}
    for late in (False, True):
        mine = refund("H", reference=REFERENCE, **own)
        theirs = refund(reference=REFERENCE, original_external_id="X")
        person = told(report(**own), *((theirs, mine) if late else (mine, theirs)))
        assert books(person) == {"expense:food": 19_725, "parked": -9_725, "wallet": -10_000}


@pytest.mark.parametrize("reverse", [False, True])
def test_the_category_of_a_payment_of_two_sources_does_not_depend_on_their_order(reverse: bool) -> None:
    reports = [report(reference=REFERENCE), report("Q", source="upi", category="travel", reference=REFERENCE)]
    person = told(*(reversed(reports) if reverse else reports))
    assert books(person) == {"expense:travel": 19_725, "wallet": -19_725}


def test_an_authorisation_that_is_waited_for_is_no_refund() -> None:
    person = told(report("S", pending_external_id="A"))
    with pytest.raises(Refused, match="external_id of its own"):
        person.do(refund("A"), AT)


def _twice() -> list[RecordTransaction]:
    """One payment from two sources; `P` is the duplicate."""
    return [report("Q", source="upi", reference=REFERENCE), report(reference=REFERENCE)]


def test_what_a_provider_gives_back_above_a_merged_payment_is_other_income() -> None:
    person = told(*_twice(), refund(amount=20_000))
    assert books(person) == {"wallet": 275, "income:refund": -275}


def test_a_refund_that_waits_finds_its_payment_when_that_comes_as_a_duplicate() -> None:
    theirs, ours = _twice()
    person = told(theirs, refund(), ours)
    assert books(person) == {"expense:food": 10_000, "wallet": -10_000}
    assert view(person, "Q", "upi").refunded_amount == 9_725


def test_an_announced_refund_of_a_duplicate_gives_back_the_payment_that_counts() -> None:
    person = told(*_twice(), refund(status="pending"), refund())
    assert books(person) == {"expense:food": 10_000, "wallet": -10_000}


def test_a_refund_at_home_that_waits_finds_a_foreign_payment_when_its_rate_comes() -> None:
    person = told(refund(amount=10_000), report(amount=500, currency="USD"))
    person.outside.book.put([DatedRate("USD", "INR", AT.date(), 80, 1)])
    person.wait(AT + timedelta(hours=1))
    assert person.answer()["reason"] == "rate_applied"
    assert books(person) == {"expense:food": 30_000, "wallet": -30_000}
    assert person.state.parked.waiting == {}


def test_a_foreign_refund_gives_back_at_the_rate_of_its_payment_whenever_that_changes() -> None:
    days = (AT - timedelta(days=1), AT)
    held = report(amount=10_000, currency="USD", status="authorised", occurred_at=days[0])
    paid = report(amount=10_000, currency="USD", occurred_at=days[1])
    back = refund(amount=5_000, currency="USD")
    for order in ((held, back, paid), (held, paid, back), (back, held, paid)):
        person = Person(at=AT)
        rates = [DatedRate("USD", "INR", day.date(), rate, 1) for day, rate in zip(days, (80, 90), strict=True)]
        person.outside.book.put(rates)
        for command in order:
            person.do(command, AT)
        assert books(person) == {"expense:food": 450_000, "wallet": -450_000}
        person.do(refund(amount=0, currency="USD", status="voided"), AT)
        assert books(person) == {"expense:food": 900_000, "wallet": -900_000}


def test_a_refund_that_waited_in_vain_ends_while_sweeps_are_held_and_is_no_income_that_came() -> None:
    person = told(report(), SweepNow())
    (debit,) = person.state.settlement.open.values()
    person.do(ReportResult(instruction_id=debit.instruction_id, status="failed"), AT)
    person.do(refund(original_external_id="X"), AT)
    person.wait(AT + timedelta(days=181))
    assert books(person)["income:refund"] == -9_725
    assert (person.state.settlement.held, person.state.settlement.incomes) == (True, 0)


def reported_twice() -> Person:
    """Return a person with `X`, and `A` of which `B` is another report whose merge is a moment away."""
    person = told(report("X", 500))
    person.do(report("A", 725, reference=REFERENCE), AT)
    person.do(report("B", 725, reference=REFERENCE, source="notes", origin="user"), AT)
    return person


def test_a_payment_whose_other_report_was_only_just_seen_is_not_merged_away() -> None:
    person = reported_twice()
    ids = {name: view(person, name).transaction_id for name in "XA"}
    with pytest.raises(Refused, match="other reports"):
        person.do(MergeDuplicate(transaction_id=ids["A"], other_id=ids["X"]), AT)
    person.wait(AT)
    assert view(person, "A").reports == [view(person, "B", "notes").transaction_id]


def test_a_report_that_was_merged_elsewhere_and_parted_again_is_on_no_list() -> None:
    person = reported_twice()
    person.wait(AT)
    ids = {"X": view(person, "X").transaction_id, "B": view(person, "B", "notes").transaction_id}
    person.do(RejectDuplicate(transaction_id=ids["B"]), AT)
    person.do(MergeDuplicate(transaction_id=ids["B"], other_id=ids["X"]), AT)
    person.do(RejectDuplicate(transaction_id=ids["B"]), AT)
    person.wait(AT)
    assert (view(person, "A").reports, view(person, "X").reports) == ([], [])
