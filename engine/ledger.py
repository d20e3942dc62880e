"""The double-entry ledger of one user: a balance is never set, only posted to.

Accounts are names: `wallet` (money the person holds elsewhere), `expense:<category>`, `income:<category>`, `own`
(the person's other accounts), `promised` (what the wallet owes the jars) and `jar:<id>:<stage>`. A positive amount
debits the account. Each event's postings sum to zero per currency, so all balances together always do.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from engine.behaviour import Refused
from engine.events import Posting

WALLET = "wallet"
OWN = "own"
PROMISED = "promised"
TURNOVER_MAX = 2**56
"""Most that all postings of a currency may debit, in minor units. Far beyond any person, and low enough that a month's
projection or a percentage of any sum still fits 64 bits, which is what a snapshot and the wire can hold."""


class Unbalanced(Exception):
    """Postings that do not sum to zero per currency: a bug in a feature, never bad input."""


class Ledger(Struct):
    """Balances by currency and account, in minor units; `turnover` is the sum of all debits by currency."""

    balances: dict[str, dict[str, int]] = field(default_factory=dict)
    turnover: dict[str, int] = field(default_factory=dict)

    def post(self, postings: Iterable[Posting]) -> None:
        """Apply the postings of one event; raises `Unbalanced` and changes nothing when they do not sum to zero."""
        postings = tuple(postings)
        check_balanced(postings)
        for posting in postings:
            book = self.balances.get(posting.currency)
            if book is None:
                book = self.balances[posting.currency] = {}
            book[posting.account] = book.get(posting.account, 0) + posting.amount
            if posting.amount > 0:
                self.turnover[posting.currency] = self.turnover.get(posting.currency, 0) + posting.amount

    def check_room(self, amount: int, currency: str) -> None:
        """Refuse an amount that would take the turnover of a currency beyond `TURNOVER_MAX`."""
        if self.turnover.get(currency, 0) + amount > TURNOVER_MAX:
            raise Refused(
                "conflict", f"the turnover in {currency} would pass {TURNOVER_MAX} minor units, the most kept"
            )

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
    for posting in postings:
        sums[posting.currency] = sums.get(posting.currency, 0) + posting.amount
    if any(sums.values()):
        raise Unbalanced(f"postings do not sum to zero: {sums}")


def transfer(debit: str, credit: str, amount: int, currency: str) -> list[Posting]:
    """Return the two postings that move `amount` from `credit` to `debit`; none for 0."""
    return [Posting(debit, amount, currency), Posting(credit, -amount, currency)] if amount else []


def jar_account(jar_id: str, stage: str) -> str:
    """Return the account of a jar's money in a stage (`accrued`, later `scheduled`, `settled` ...)."""
    return f"jar:{jar_id}:{stage}"
