"""Payments that wait for an exchange rate: asked for ever more seldom, counted once, by postings that add."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine.accounts.rate_book import DatedRate
from engine.accounts.rates import TRIES_MAX
from engine.commands import CreateAccount, OpenUser, RecordTransaction, SetBudget
from tests.support.person import Person, replayed

AT = datetime(2026, 11, 10, 9, tzinfo=UTC)
RATE = DatedRate("USD", "INR", date(2026, 11, 10), 842_575, 10_000)


@pytest.fixture
def person() -> Person:
    one = Person(OpenUser(auto_saving="on"), AT)
    one.do(SetBudget(category="food", limit=100_000), AT)
    return one


def spend(**fields: Any) -> RecordTransaction:
    said: dict[str, Any] = {
        "external_id": "P",
        "source": "card",
        "amount": 1_099,
        "currency": "USD",
        "category": "food",
    }
    return RecordTransaction(**(said | fields))


def view(person: Person, name: str = "P") -> Any:
    return next(one for one in person.transactions.values() if one.external_id == name)


def test_a_rate_that_comes_makes_it_count_in_its_own_day_and_saves_nothing(person: Person) -> None:
    person.do(spend(), AT)
    person.outside.book.put([RATE])
    (turn,) = person.wait(AT + timedelta(hours=1))
    receipt = person.answer(turn)
    assert (receipt["effect"], receipt["reason"], receipt["saved_amount"]) == ("amended", "rate_applied", 0)
    assert (receipt["amount"], receipt["currency"], receipt["skipped_reason"]) == (92_599, "INR", "rate_pending")
    assert [(one["category"], one["spent"]) for one in receipt["budgets"]] == [("food", 92_599)]
    assert [alert["type"] for alert in receipt["alerts"]][:1] == ["budget_threshold"]
    found = view(person)
    assert (found.flags, found.original.amount, found.original.rate) == ([], 1_099, "84.2575")
    assert found.local_date == date(2026, 11, 10)
    assert person.state.ledger.balances["USD"] == {}
    assert person.state.ledger.balances["INR"] == {"wallet": -92_599, "expense:food": 92_599}
    assert not person.timers
    assert replayed(person.bodies) == person.state


def test_it_is_asked_for_ever_more_seldom_and_at_last_no_more(person: Person) -> None:
    person.do(spend(), AT)
    dues = []
    while person.timers:
        (timer,) = person.timers.values()
        dues.append(timer.due)
        person.wait(timer.due)
    waits = [after - before for before, after in zip([AT, *dues], dues, strict=False)]
    assert waits == [timedelta(hours=2**number) for number in range(TRIES_MAX)]
    assert view(person).flags == ["rate_pending"]


def test_what_was_refunded_meanwhile_is_given_back_at_the_same_rate(person: Person) -> None:
    person.do(spend(), AT)
    person.do(spend(external_id="R", kind="refund", amount=333, category=None, original_external_id="P"), AT)
    person.outside.book.put([RATE])
    person.wait(AT + timedelta(hours=1))
    found = view(person)
    assert (found.amount, found.refunded_amount, found.refunded_original) == (92_599, 28_058, 333)
    assert person.overview(AT)["burn_rate"]["spent"] == 92_599 - 28_058
    assert person.state.ledger.balances["USD"] == {}
    person.do(spend(external_id="R2", kind="refund", amount=766, category=None, original_external_id="P"), AT)
    assert person.overview(AT)["burn_rate"]["spent"] == 0
    assert person.state.ledger.balances["INR"] == {}


def test_an_authorisation_that_waits_is_held_at_home_once_the_rate_comes(person: Person) -> None:
    person.do(spend(status="authorised"), AT)
    person.outside.book.put([RATE])
    person.wait(AT + timedelta(hours=1))
    assert person.state.ledger.balances["INR"] == {"held": -92_599, "expense:food": 92_599}
    person.do(spend(), AT + timedelta(hours=2))
    assert person.state.ledger.balances["INR"]["wallet"] == -92_599
    assert "held" not in person.state.ledger.balances["INR"]


def test_one_that_ended_meanwhile_is_left_alone(person: Person) -> None:
    person.do(spend(status="authorised"), AT)
    person.do(spend(status="voided"), AT)
    person.outside.book.put([RATE])
    turns = person.wait(AT + timedelta(hours=1))
    assert [turn.events for turn in turns] == [[]]


def test_a_report_that_comes_with_a_rate_converts_it_and_the_timer_finds_nothing_to_do(person: Person) -> None:
    person.do(spend(status="authorised"), AT)
    person.outside.book.put([RATE])
    turn = person.do(spend(), AT)
    assert (person.answer(turn)["amount"], person.answer(turn)["currency"]) == (92_599, "INR")
    assert [turn.events for turn in person.wait(AT + timedelta(hours=1))] == [[]]
    assert person.overview(AT)["burn_rate"]["spent"] == 92_599


@pytest.mark.parametrize(("currency", "moved"), [("INR", -92_599), ("USD", -1_099)])
@pytest.mark.parametrize("statuses", [["settled"], ["authorised", "settled"]])
@pytest.mark.parametrize("comes", ["before", "between", "after"])
def test_an_account_moves_once_in_its_own_currency_whenever_the_rate_comes(
    person: Person, currency: str, moved: int, statuses: list[str], comes: str
) -> None:
    person.do(CreateAccount(name="Card", account_type="bank", currency=currency, balance=500_000), AT)
    (account,) = person.state.accounts.values()
    if comes == "before":
        person.outside.book.put([RATE])
    for number, status in enumerate(statuses):
        at = AT + timedelta(minutes=1)
        person.do(spend(status=status, account_id=account.account_id, occurred_at=at), at + timedelta(hours=2 * number))
        if comes == "between":
            person.outside.book.put([RATE])
            person.wait(at + timedelta(hours=1 + 2 * number))
    person.outside.book.put([RATE])
    person.wait(AT + timedelta(hours=9))
    assert view(person).flags == []
    assert account.balance == 500_000 + moved


def test_an_account_gets_back_what_was_reversed_in_the_currency_that_was_paid(person: Person) -> None:
    person.do(CreateAccount(name="Card", account_type="bank", currency="USD", balance=500_000), AT)
    (account,) = person.state.accounts.values()
    person.outside.book.put([RATE])
    at = AT + timedelta(minutes=1)
    person.do(spend(account_id=account.account_id, occurred_at=at), at)
    assert account.balance == 498_901
    person.do(spend(account_id=account.account_id, occurred_at=at, status="reversed"), at)
    assert account.balance == 500_000
