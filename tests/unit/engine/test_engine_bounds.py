"""What a user, or a broken sender, can do to its own books: they stay finite, exact and usable."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import ValidationError, convert, msgpack

from engine import alerts, ledger, profile
from engine.behaviour import Refused
from engine.commands import (
    AMOUNT_MAX,
    CreateJar,
    DeleteBudget,
    DeleteJar,
    DepositToJar,
    EditTransaction,
    ExternalId,
    Mcc,
    ReportResult,
    RoundingPatch,
    SetBudget,
    Slug,
    Source,
    TransactionFields,
    UpdateProfile,
)
from engine.planning.budgets import key
from engine.planning.spending import OVERALL
from engine.queries import GetOverview
from tests.support.book import Book


def overall(book: Book) -> int:
    """Return what the total budget says was spent, over every period it keeps."""
    return sum(book.state.budgets[key(OVERALL, "monthly")].spent.values())


def refused_at_last(attempt: Callable[[int], object]) -> Refused:
    """Try until it is refused; return the refusal."""
    for i in range(5_000):
        try:
            attempt(i)
        except Refused as refused:
            return refused
    raise AssertionError("never refused")


def test_no_spend_is_of_the_category_that_names_the_total() -> None:
    book = Book()
    book.tell(SetBudget(category=OVERALL, limit=100_000))
    with pytest.raises(Refused, match="category"):
        book.spend(500, OVERALL)
    assert overall(book) == 0


def test_an_edit_into_the_total_is_refused_and_the_total_stays_what_was_spent() -> None:
    book = Book()
    book.tell(SetBudget(category=OVERALL, limit=100_000))
    spent = book.spend(500)
    with pytest.raises(Refused, match="category"):
        book.tell(EditTransaction(transaction_id=spent, category=OVERALL))
    assert overall(book) == 500


def test_an_income_under_another_category_is_moved_by_postings_too() -> None:
    book = Book()
    salary = book.spend(5_000, None, kind="income")
    book.tell(EditTransaction(transaction_id=salary, category="salary"))
    assert book.state.ledger.balances == {"INR": {"wallet": 5_000, "income:salary": -5_000}}


def test_sums_that_outgrow_storage_are_refused_and_the_user_goes_on() -> None:
    book = Book()
    book.tell(SetBudget(category=OVERALL, limit=1))
    assert refused_at_last(lambda _: book.spend(AMOUNT_MAX)).code == "conflict"
    book.tell(CreateJar(name="Goa"))
    book.tell(SetBudget(category="food", limit=1))
    book.behaviour.decode_state(book.behaviour.encode_state(book.state))
    book.behaviour.query(book.state, GetOverview(), book.at, book.seq)


def test_deposits_cannot_outgrow_storage_either_and_a_full_jar_can_still_be_read() -> None:
    book = Book()
    jar_id = book.state.default_jar_id
    deposit = DepositToJar(jar_id=jar_id, amount=AMOUNT_MAX)
    assert refused_at_last(lambda _: book.tell(deposit)).code == "conflict"
    book.tell(UpdateProfile(name="U"))
    msgpack.encode(book.state)


def test_categories_are_bounded_and_known_ones_go_on() -> None:
    book = Book()
    assert refused_at_last(lambda i: book.spend(1_000, f"c{i}")).code == "conflict"
    assert len(book.state.ledger.balances["INR"]) == ledger.ACCOUNTS_MAX
    book.spend(1_000, "c1")


def test_an_account_back_at_zero_takes_no_room() -> None:
    book = Book()
    for _ in range(20):
        jar_id = book.tell(CreateJar(name="Goa")).events[0].jar_id
        book.tell(DepositToJar(jar_id=jar_id, amount=100))
        book.tell(DeleteJar(jar_id=jar_id, move_to=book.state.default_jar_id))
    accounts = {account for account in book.state.ledger.balances["INR"] if account.startswith("jar:")}
    assert accounts == {f"jar:{book.state.default_jar_id}:scheduled"}
    assert not book.state.ledger.is_empty


def test_editing_a_category_again_and_again_leaves_no_trace_of_those_between() -> None:
    book = Book()
    spent = book.spend(700)
    for i in range(50):
        book.tell(EditTransaction(transaction_id=spent, category=f"c{i}"))
    assert [sums for day in book.state.spending.days.values() for sums in day.items()] == [("c49", 700)]


def test_a_budget_made_and_deleted_again_and_again_is_forgotten() -> None:
    book = Book()
    book.spend(1_000)
    for _ in range(200):
        book.tell(SetBudget(category="food", limit=100))
        book.tell(DeleteBudget(category="food"))
    assert book.state.alerts.told == {}


def test_names_of_notifications_are_bounded() -> None:
    book = Book()
    with pytest.raises(Refused, match="notifications"):
        book.tell(UpdateProfile(notifications={f"n{i}": True for i in range(profile.NOTIFICATIONS_MAX + 1)}))


def test_the_daily_cap_is_not_reset_by_moving_to_another_zone_and_back() -> None:
    """20:00 UTC on the 20th is the 21st in Kolkata and still the 20th in Honolulu."""
    book = Book(datetime(2026, 11, 20, 20, tzinfo=UTC))
    book.tell(UpdateProfile(rounding=RoundingPatch(daily_cap=1_000)))
    for zone in ("Asia/Kolkata", "Pacific/Honolulu", "Asia/Kolkata", "Pacific/Honolulu"):
        book.tell(UpdateProfile(time_zone=zone))
        for _ in range(3):
            book.spend(9_500)
    saved = book.state.jars[book.state.default_jar_id].saved
    assert saved == 1_000


def test_the_daily_cap_is_not_reset_by_a_clock_that_steps_back_and_forth() -> None:
    book = Book()
    book.tell(UpdateProfile(rounding=RoundingPatch(daily_cap=500)))
    book.wait(days=3)
    for hours in (0, -24, 24, -24, 24):
        book.wait(hours=hours)
        book.spend(9_500, occurred_at=book.at)
    assert book.state.jars[book.state.default_jar_id].saved == 500


def test_a_monthly_budget_set_in_the_profile_keeps_the_day_its_period_starts() -> None:
    book = Book()
    book.tell(SetBudget(category=OVERALL, limit=1_000, starts_on=25))
    book.tell(UpdateProfile(monthly_budget=2_000))
    budget = book.state.budgets[key(OVERALL, "monthly")]
    assert (budget.limit, budget.starts_on) == (2_000, 25)


@pytest.mark.parametrize(("kind", "text"), [(ExternalId, "T1"), (Source, "upi"), (Slug, "food"), (Mcc, "5812")])
def test_an_id_does_not_end_in_a_line_break(kind: Any, text: str) -> None:
    assert convert(text, kind) == text
    with pytest.raises(ValidationError):
        convert(f"{text}\n", kind)


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**25])
def test_a_number_in_metadata_is_one_that_every_json_reader_keeps(number: int) -> None:
    event = {"external_id": "T", "source": "upi", "amount": 1, "currency": "INR", "metadata": {"k": number}}
    with pytest.raises(ValidationError, match="metadata"):
        convert(event, TransactionFields)


def test_told_marks_do_not_outlive_their_budget() -> None:
    book = alerts.AlertBook()
    day = datetime(2026, 11, 20, tzinfo=UTC).date()
    book.tell(["budget:a:1:70", "budget:ab:1:70", "jar:a"], day)
    book.forget("budget:a:")
    assert set(book.told) == {"budget:ab:1:70", "jar:a"}


def test_a_report_of_the_host_is_taken_however_full_the_books_are() -> None:
    """The money has moved: refusing to write it down would lose it."""
    book = Book()
    book.tell(DepositToJar(jar_id=book.state.default_jar_id, amount=100))
    (waiting,) = book.state.settlement.open
    assert refused_at_last(lambda i: book.spend(1_000, f"c{i}")).code == "conflict"
    book.tell(ReportResult(instruction_id=waiting, status="done"))
    assert book.state.ledger.balance(f"jar:{book.state.default_jar_id}:settled", "INR") == 100
