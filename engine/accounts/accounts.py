"""The user's accounts and what is known of their balances. Rules: docs/domain.md, "Accounts".

A balance is known at a time, by a statement; what events after it say makes an estimate of now. Accounts are no
accounts of the ledger: what others report is kept beside what is posted.
"""

from bisect import insort
from datetime import UTC, datetime

from msgspec import UNSET, Struct, field, structs

from engine.behaviour import Context, Refused, invalid
from engine.commands import AccountType, CreateAccount, EditAccount, RecordTransaction, RemoveAccount
from engine.events import (
    AccountCreated,
    AccountDescription,
    AccountEdited,
    AccountRemoved,
    Statement,
    TransactionChanged,
    TransactionRecorded,
)
from engine.periods import local_date
from engine.profile import Profile, check_currency
from engine.views import TransactionView

ACCOUNTS_MAX = 30
STATEMENTS_MAX = 31
"""Statements kept of an account, one a local date: the newest."""
MOVES_MAX = 64
"""Moves kept one by one since the last statement; older ones are carried as a sum."""
MONEY_TYPES = frozenset({"wallet", "bank", "cash"})
"""Accounts that hold money a round-up can be taken from."""


class Move(Struct, frozen=True, array_like=True, gc=False, order=True):
    """What an event did to a balance: money in is positive."""

    at: datetime
    amount: int


class Account(Struct, kw_only=True):
    """One account as it stands. Changed by `evolve` alone."""

    account_id: str
    name: str
    type: AccountType
    currency: str
    created_at: datetime
    provider: str | None = None
    external_id: str | None = None
    mask: str | None = None
    funds_savings: bool = False
    statements: list[Statement] = field(default_factory=list)
    """One a local date, oldest first."""
    moves: list[Move] = field(default_factory=list)
    """Oldest first, all after the last statement."""
    carried: int = 0
    carried_until: datetime | None = None

    @property
    def known(self) -> Statement | None:
        """The last statement."""
        return self.statements[-1] if self.statements else None

    @property
    def balance(self) -> int | None:
        """The estimate of now: the last statement and what events after it say; None when nothing was stated."""
        if not self.statements:
            return None
        return self.statements[-1].amount + self.carried + sum(move.amount for move in self.moves)

    @property
    def is_estimated(self) -> bool:
        """Whether an event has moved it since it was stated."""
        return bool(self.moves) or self.carried_until is not None

    def balance_with(self, at: datetime, amount: int) -> int | None:
        """Return the balance after an event that is not applied yet; one before the statement is in it already."""
        balance = self.balance
        if balance is None or at <= self.statements[-1].at:
            return balance
        return balance + amount

    def state(self, statement: Statement) -> None:
        """Take over a statement: of one day the latest counts, of one instant the last word."""
        others = [one for one in self.statements if one.day != statement.day]
        same = next((one for one in self.statements if one.day == statement.day), None)
        if same is not None and same.at > statement.at:
            return
        self.statements = sorted([*others, statement], key=lambda one: one.at)[-STATEMENTS_MAX:]
        if self.statements[-1] is statement:
            self.moves = [move for move in self.moves if move.at > statement.at]
            if self.carried_until is not None and self.carried_until <= statement.at:
                self.carried, self.carried_until = 0, None

    def move(self, at: datetime, amount: int) -> None:
        """Count an event that happened after the last statement."""
        if self.statements and at <= self.statements[-1].at:
            return
        insort(self.moves, Move(at, amount))
        if len(self.moves) > MOVES_MAX:
            oldest = self.moves.pop(0)
            self.carried += oldest.amount
            self.carried_until = oldest.at if self.carried_until is None else max(self.carried_until, oldest.at)


Accounts = dict[str, Account]
"""By id, in the order of their making."""


def find(accounts: Accounts, account_id: str) -> Account:
    """Return an account; raises `Refused` when there is none."""
    account = accounts.get(account_id)
    if account is None:
        raise Refused("not_found", f"there is no account {account_id!r}")
    return account


def create(accounts: Accounts, command: CreateAccount, profile: Profile, context: Context) -> AccountCreated:
    """Decide a new account. Raises `Refused`."""
    if len(accounts) >= ACCOUNTS_MAX:
        raise Refused("conflict", f"there are {ACCOUNTS_MAX} accounts already; remove one first")
    check_currency("currency", command.currency)
    if command.balance is None and command.balance_at is not None:
        raise invalid("balance_at", "dates a balance; give the balance too")
    stated = None
    if command.balance is not None:
        stated = _statement(command.balance, command.balance_at, profile, context)
    event = AccountCreated(
        account_id=context.new_id(),
        at=context.at,
        name=command.name,
        type=command.account_type,
        currency=command.currency,
        provider=command.provider,
        external_id=command.external_id,
        mask=command.mask,
        funds_savings=command.funds_savings,
        stated=stated,
    )
    _check(accounts, event, profile)
    return event


def edit(accounts: Accounts, command: EditAccount, profile: Profile, context: Context) -> AccountEdited:
    """Decide a change of an account, or a statement of its balance. Raises `Refused`."""
    was = find(accounts, command.account_id)
    if command.balance is UNSET and command.balance_at is not None:
        raise invalid("balance_at", "dates a balance; give the balance too")
    stated = None
    if command.balance is not UNSET:
        stated = _statement(command.balance, command.balance_at, profile, context)
    event = AccountEdited(
        account_id=was.account_id,
        at=context.at,
        name=was.name if command.name is UNSET else command.name,
        type=was.type if command.account_type is UNSET else command.account_type,
        currency=was.currency,
        provider=was.provider if command.provider is UNSET else command.provider,
        external_id=was.external_id if command.external_id is UNSET else command.external_id,
        mask=was.mask if command.mask is UNSET else command.mask,
        funds_savings=was.funds_savings if command.funds_savings is UNSET else command.funds_savings,
        stated=stated,
    )
    _check(accounts, event, profile)
    return event


def remove(accounts: Accounts, command: RemoveAccount, context: Context) -> AccountRemoved:
    """Decide that an account is forgotten. Raises `Refused`."""
    return AccountRemoved(account_id=find(accounts, command.account_id).account_id, at=context.at)


def _statement(amount: int, at: datetime | None, profile: Profile, context: Context) -> Statement:
    when = at or context.at
    if when.tzinfo is None:
        raise invalid("balance_at", "needs an offset, for example 2026-11-20T09:30:00+05:30")
    if when > context.at:
        raise invalid("balance_at", "lies in the future; a balance is stated as it was")
    if when.year < 1970:
        raise invalid("balance_at", "lies before 1970")
    return Statement(when.astimezone(UTC), local_date(when, profile.zone_at(context.at)), amount)


def _check(accounts: Accounts, event: AccountDescription, profile: Profile) -> None:
    for other in accounts.values():
        if other.account_id == event.account_id:
            continue
        one_source = None in (event.provider, other.provider) or event.provider == other.provider
        if one_source and event.external_id is not None and event.external_id == other.external_id:
            raise Refused("conflict", f"external_id: the account {other.name!r} has {event.external_id!r} already")
        if event.external_id == other.account_id:
            raise invalid("external_id", f"is the id of the account {other.name!r}; give the provider's own reference")
    if event.funds_savings and (event.type not in MONEY_TYPES or event.currency != profile.currency):
        raise invalid(
            "funds_savings", f"only a wallet, bank account or cash in {profile.currency} can; this is a {event.type}"
        )


def created(accounts: Accounts, event: AccountCreated) -> None:
    """Take over a new account."""
    accounts[event.account_id] = Account(
        account_id=event.account_id, name=event.name, type=event.type, currency=event.currency, created_at=event.at
    )
    described(accounts, event)


def described(accounts: Accounts, event: AccountDescription) -> None:
    """Take over a description, and the balance stated with it."""
    account = accounts[event.account_id]
    account.name, account.type, account.mask = event.name, event.type, event.mask
    account.provider, account.external_id = event.provider, event.external_id
    if event.funds_savings:
        for other in accounts.values():
            other.funds_savings = False
    account.funds_savings = event.funds_savings
    if event.stated is not None:
        account.state(event.stated)


def named(accounts: Accounts, source: str, name: str | None) -> Account | None:
    """Return the account that an event of a source names: by our id, else by the provider's reference."""
    if name is None:
        return None
    account = accounts.get(name)
    if account is not None:
        return account
    for one in accounts.values():
        if one.external_id == name and one.provider in (None, source):
            return one
    return None


def understood(accounts: Accounts, command: RecordTransaction) -> RecordTransaction:
    """Return a report with our ids for the accounts it names; what nobody knows stays the source's own text.

    What repays a linked card is a transfer between own accounts: the card's purchases are spend already.
    """
    account = named(accounts, command.source, command.account_id)
    if account is not None and account.account_id != command.account_id:
        command = structs.replace(command, account_id=account.account_id)
    paid = named(accounts, command.source, command.to_account_id)
    if paid is None:
        return command
    command = structs.replace(command, to_account_id=paid.account_id)
    if command.kind == "repayment" and paid.type == "card":
        return structs.replace(command, kind="transfer")
    return command


def spendable(
    accounts: Accounts, payment: RecordTransaction | TransactionView, at: datetime, amount: int, currency: str
) -> int | None:
    """Return what is known to be left where a round-up would be taken from, after a debit in the home currency.

    That is the account that funds savings, else the one that spent, which has `amount` of the debit yet to move. A card
    or a loan says nothing of money at hand.
    """
    account = accounts.get(payment.account_id) if payment.account_id is not None else None
    funding = next((one for one in accounts.values() if one.funds_savings), account)
    if funding is None:
        return payment.balance_after
    if funding.type not in MONEY_TYPES or funding.currency != currency:
        return None
    if funding is not account:
        return funding.balance
    if payment.balance_after is not None:
        return payment.balance_after
    return account.balance_with(at, -amount)


def moved(accounts: Accounts, event: TransactionRecorded) -> None:
    """Take over what a payment says of the balances of the accounts it names."""
    paying = accounts.get(event.account_id) if event.account_id is not None else None
    if paying is not None:
        if event.balance_after is not None:
            paying.state(Statement(event.occurred_at, event.local_date, event.balance_after))
        elif event.status == "settled" and (amount := _amount_in(event, paying.currency)) is not None:
            paying.move(event.occurred_at, amount if event.direction == "credit" else -amount)
    paid = accounts.get(event.to_account_id) if event.to_account_id is not None else None
    if paid is not None and event.status == "settled" and (amount := _amount_in(event, paid.currency)) is not None:
        paid.move(event.occurred_at, amount)


def changed(accounts: Accounts, event: TransactionChanged) -> None:
    """Take over what a settlement, an amendment or an end of a payment says of the balance of its account."""
    account = accounts.get(event.account_id) if event.account_id is not None else None
    if account is None or event.occurred_at is None:
        return
    if event.balance_after is not None:
        account.state(Statement(event.occurred_at, event.local_date, event.balance_after))
    elif event.currency == account.currency and event.moved:
        account.move(event.occurred_at, event.moved)
    elif event.paid_currency == account.currency and event.moved_paid:
        account.move(event.occurred_at, event.moved_paid)


def _amount_in(event: TransactionRecorded, currency: str) -> int | None:
    """Return what a payment moves in an account's currency: as reported, else as converted; None in a third one."""
    if event.original is not None and event.original.currency == currency:
        return event.original.amount
    return event.amount if event.currency == currency else None
