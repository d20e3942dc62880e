"""The double-entry ledger of one user: a balance is never set, only posted to.

Accounts are names: `wallet` (money the person holds elsewhere), `expense:<category>`, `income:<category>`, `own`
(the person's other accounts), `held` (authorised, not moved yet), `parked` (refunds whose purchase is not known yet),
`promised` (what the wallet owes the jars), `returned` (what settled savings owe the wallet after a refund), `returning`
(the part of it that is being paid out) and `jar:<id>:<stage>`. A positive amount debits the account. Each event's
postings sum to zero per currency, so all balances together always do.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from engine.behaviour import Refused
from engine.events import Posting

WALLET = "wallet"
OWN = "own"
PROMISED = "promised"
PARKED = "parked"
HELD = "held"
RETURNED, RETURNING = "returned", "returning"
VOLUME_MAX = 2**56
"""Most that is ever posted in one currency: its sums, percentages and projections fit the 64 bits of what is stored."""
ACCOUNTS_MAX = 1_000
"""Most accounts that hold something, over all currencies: a state is encoded whole, and must stay small."""


_NO_BOOK: dict[str, int] = {}


class Unbalanced(Exception):
    """Postings that do not sum to zero per currency: a bug in a feature, never bad input."""


class Ledger(Struct):
    """Balances by currency and account, in minor units; an account at zero is not kept."""

    balances: dict[str, dict[str, int]] = field(default_factory=dict)
    volume: dict[str, int] = field(default_factory=dict)
    """Everything ever debited, by currency: no sum over the accounts can be more."""

    def post(self, postings: Iterable[Posting]) -> None:
        """Apply the postings of one event; raises `Unbalanced` and changes nothing when they do not sum to zero."""
        if type(postings) is not list:
            postings = list(postings)
        check_balanced(postings)
        balances, volume = self.balances, self.volume
        for posting in postings:
            account, amount, currency = posting.account, posting.amount, posting.currency
            book = balances.get(currency)
            if book is None:
                book = balances[currency] = {}
            balance = book.get(account, 0) + amount
            if balance:
                book[account] = balance
            else:
                book.pop(account, None)
            if amount > 0:
                volume[currency] = volume.get(currency, 0) + amount

    def check_room(self, postings: Iterable[Posting]) -> None:
        """Refuse postings that would take the books beyond `VOLUME_MAX` or `ACCOUNTS_MAX`."""
        added: dict[str, int] = {}
        opened, balances = 0, self.balances
        for posting in postings:
            currency, amount = posting.currency, posting.amount
            if posting.account not in balances.get(currency, _NO_BOOK):
                opened += 1
            if amount > 0:
                added[currency] = added.get(currency, 0) + amount
        for currency, amount in added.items():
            if self.volume.get(currency, 0) + amount > VOLUME_MAX:
                raise Refused("conflict", f"the books in {currency} are full: all amounts together pass {VOLUME_MAX}")
        if opened and opened + sum(map(len, self.balances.values())) > ACCOUNTS_MAX:
            raise Refused("conflict", f"the books hold {ACCOUNTS_MAX} accounts; use a category they have already")

    def balance(self, account: str, currency: str) -> int:
        """Return the balance of an account, 0 for one never posted to."""
        return self.balances.get(currency, {}).get(account, 0)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever posted."""
        return not self.balances


def check_balanced(postings: Iterable[Posting]) -> None:
    """Raise `Unbalanced` unless the postings sum to zero in each currency."""
    sums: dict[str, int] = {}
    last, total = "", 0
    for posting in postings:
        currency = posting.currency
        if currency != last:
            sums[last] = total
            last, total = currency, sums.get(currency, 0)
        total += posting.amount
    sums[last] = total
    if any(sums.values()):
        raise Unbalanced(f"postings do not sum to zero: {sums}")


def transfer(debit: str, credit: str, amount: int, currency: str) -> list[Posting]:
    """Return the two postings that move `amount` from `credit` to `debit`; none for 0."""
    return [Posting(debit, amount, currency), Posting(credit, -amount, currency)] if amount else []


def jar_account(jar_id: str, stage: str) -> str:
    """Return the account of a jar's money in a stage (provisional, accrued, scheduled, settled, reserved)."""
    return f"jar:{jar_id}:{stage}"


def stage_account(holder: str, stage: str) -> str:
    """Return the account of a jar (`holder` is its id) or of a share in a group (`holder` is `group:<id>`)."""
    return f"{holder}:{stage}" if holder.startswith("group:") else jar_account(holder, stage)


def accrued_holder(account: str) -> str | None:
    """Return whose accrued money an account holds: a jar's id or `group:<id>`; None for any other account."""
    return account[:-8].removeprefix("jar:") if account.endswith(":accrued") else None
