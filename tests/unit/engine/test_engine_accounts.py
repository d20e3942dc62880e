"""Accounts: bounds, and balances that do not depend on the order in which events come."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.accounts.accounts import ACCOUNTS_MAX, MOVES_MAX, STATEMENTS_MAX
from engine.behaviour import Refused
from engine.commands import CreateAccount, EditAccount, RemoveAccount
from tests.support.book import AT, Book


def linked(book: Book, **fields: Any) -> str:
    """Link a bank account in rupees; return its id."""
    book.tell(CreateAccount(account_type="bank", **{"name": "HDFC", "currency": "INR", **fields}))
    return next(reversed(book.state.accounts))


def test_accounts_are_bounded_and_a_removed_one_makes_room() -> None:
    book = Book()
    ids = [linked(book) for _ in range(ACCOUNTS_MAX)]
    with pytest.raises(Refused, match="remove one first"):
        linked(book)
    book.tell(RemoveAccount(account_id=ids[3]))
    assert linked(book) in book.state.accounts
    assert len(book.state.accounts) == ACCOUNTS_MAX


def test_statements_are_kept_one_a_day_and_bounded() -> None:
    book = Book()
    account_id = linked(book)
    for number in range(2 * STATEMENTS_MAX):
        book.wait(hours=12)
        book.tell(EditAccount(account_id=account_id, balance=number))
    account = book.state.accounts[account_id]
    assert len(account.statements) == STATEMENTS_MAX
    assert len({said.day for said in account.statements}) == STATEMENTS_MAX
    assert account.balance == 2 * STATEMENTS_MAX - 1


def test_moves_are_bounded_and_none_is_lost() -> None:
    book = Book()
    account_id = linked(book, balance=1_000_000)
    for _ in range(3 * MOVES_MAX):
        book.wait(minutes=1)
        book.spend(100, account_id=account_id)
    account = book.state.accounts[account_id]
    assert len(account.moves) == MOVES_MAX
    assert account.balance == 1_000_000 - 100 * 3 * MOVES_MAX
    book.wait(minutes=1)
    book.tell(EditAccount(account_id=account_id, balance=5))
    assert (account.balance, account.is_estimated) == (5, False)


_events = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from(["spend", "state"]), st.integers(1, 10_000)),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one[0],
)


@given(_events.flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_a_balance_does_not_depend_on_the_order_of_reports(pair: tuple[list[tuple[int, str, int]], ...]) -> None:
    balances = []
    for events in pair:
        book = Book()
        account_id = linked(book)
        book.wait(hours=30)
        for hour, what, amount in events:
            at = AT + timedelta(hours=hour)
            if what == "spend":
                book.spend(amount, account_id=account_id, occurred_at=at, external_id=f"T{hour}")
            else:
                book.tell(EditAccount(account_id=account_id, balance=amount, balance_at=at))
        balances.append(book.state.accounts[account_id].balance)
    assert balances[0] == balances[1]


def test_a_balance_is_what_the_last_statement_and_later_events_say() -> None:
    book = Book()
    account_id = linked(book, balance=1_000)
    book.wait(hours=1)
    book.spend(300, account_id=account_id)
    assert book.state.accounts[account_id].balance_with(AT, -50) == 700
    assert book.state.accounts[account_id].balance_with(book.at, -50) == 650
