"""Accounts and their balances on the wire. Amounts in minor units of the account's own currency."""

from datetime import date, datetime

from msgspec import Struct

from engine.accounts.accounts import Account


class AccountView(Struct, frozen=True, kw_only=True):
    """An account. `balance` is the last statement and what events after it say; null when nothing was ever stated."""

    account_id: str
    name: str
    type: str
    provider: str | None
    external_id: str | None
    mask: str | None
    currency: str
    funds_savings: bool
    balance: int | None
    estimated: bool
    """Whether events have moved the balance since it was stated."""
    stated_balance: int | None
    stated_at: datetime | None
    created_at: datetime


class BalanceView(Struct, frozen=True):
    """A balance as it was stated; `balance_id` is its place in the list."""

    balance_id: str
    at: datetime
    local_date: date
    balance: int
    currency: str


def account(one: Account) -> AccountView:
    """Return an account with what is known of its balance."""
    known = one.known
    return AccountView(
        account_id=one.account_id,
        name=one.name,
        type=one.type,
        provider=one.provider,
        external_id=one.external_id,
        mask=one.mask,
        currency=one.currency,
        funds_savings=one.funds_savings,
        balance=one.balance,
        estimated=known is not None and one.is_estimated,
        stated_balance=known.amount if known else None,
        stated_at=known.at if known else None,
        created_at=one.created_at,
    )


def balances(one: Account) -> list[BalanceView]:
    """Return the statements of an account, newest first: one a local date."""
    return [
        BalanceView(said.day.isoformat(), said.at, said.day, said.amount, one.currency)
        for said in reversed(one.statements)
    ]
