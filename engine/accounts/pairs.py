"""What of recent payments is remembered to recognise another report of the same, or the other leg of a transfer.

Kept small, as a state is encoded whole: a payment is remembered when it carries a bank reference, or when the user has
accounts. Rules: docs/domain.md, "Across sources", "Transfers between own accounts".
"""

import re
from collections.abc import Iterator

from msgspec import Struct, field

from engine.accounts.accounts import Account, Accounts
from engine.commands import RecordTransaction
from engine.events import PairJudged, PairType, Suggestion, TransactionChanged, TransactionRecorded
from engine.kinds import MOVE_KINDS, SPEND_KINDS
from engine.payments.life import OPEN

SEEN_MAX = 128
REJECTED_MAX = 200
SUGGESTIONS_MAX = 3
SAME_REFERENCE_DAYS = 3
DUPLICATE_DAYS = 3
BY_HAND_DAYS = 10
"""Between what a person wrote down and what a statement says of it."""
TRANSFER_DAYS = 4
FX_TOLERANCE_PERCENT = 10
_REFERENCE = re.compile(r"(?=(?:[A-Z]*[0-9]){6})[A-Z0-9]{9,35}")
"""An RRN has 12 digits, a UTR 16 or 22 characters, an ARN 23 digits; an invoice number or a word is none."""


class Seen(Struct, array_like=True, gc=False):
    """One payment as far as recognising it needs; `day` is the ordinal of its local date."""

    transaction_id: str
    day: int
    amount: int
    currency: str
    direction: str
    kind: str
    source: str
    """Origin and source: reports of one are told apart by their own ids."""
    is_open: bool
    by_hand: bool
    imported: bool
    is_foreign: bool
    has_merchant: bool
    account_id: str | None = None
    merchant: str | None = None
    reference: str | None = None
    is_leg: bool = False
    """Whether it is matched as a transfer: other reports of it still come, another leg does not."""
    is_reported: bool = False
    """Whether another report counts as one of it, though its row may learn so a moment later."""


class Pairs(Struct):
    """Recent payments by id, oldest first; which of them carry which bank reference; pairs the user has rejected."""

    seen: dict[str, Seen] = field(default_factory=dict)
    by_reference: dict[str, str] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)

    def remember(self, seen: Seen) -> None:
        """Keep a payment, forgetting the oldest beyond `SEEN_MAX`."""
        self.seen[seen.transaction_id] = seen
        if seen.reference is not None:
            self.by_reference[seen.reference] = seen.transaction_id
        if len(self.seen) > SEEN_MAX:
            self.forget(next(iter(self.seen)))

    def forget(self, transaction_id: str) -> None:
        """Forget a payment, if it was remembered: it ended, or its pair is known."""
        gone = self.seen.pop(transaction_id, None)
        if gone is not None and gone.reference is not None and self.by_reference.get(gone.reference) == transaction_id:
            del self.by_reference[gone.reference]

    def judge(self, event: PairJudged) -> None:
        """Take over what was decided of a pair."""
        key = pair_key(event.type, event.transaction_id, event.other_id)
        if not event.accepted:
            self.rejected = [*(one for one in self.rejected if one != key), key][-REJECTED_MAX:]
            if event.type == "duplicate" and (first := self.seen.get(event.other_id)) is not None:
                first.is_reported = False
            return
        self.rejected = [one for one in self.rejected if one != key]
        if event.type == "duplicate":
            self.forget(event.transaction_id)
        else:
            self._matched(event.transaction_id)
            self._matched(event.other_id)

    def _matched(self, transaction_id: str) -> None:
        seen = self.seen.get(transaction_id)
        if seen is not None:
            seen.is_leg = True

    def is_rejected(self, pair: PairType, one: str, other: str) -> bool:
        """Whether the user said that two payments are no such pair."""
        return pair_key(pair, one, other) in self.rejected


def pair_key(pair: PairType, one: str, other: str) -> str:
    """Return the name of a pair, whichever of the two comes first."""
    return f"{pair}:{min(one, other)}:{max(one, other)}"


def reference_key(reference: str | None, direction: str, amount: int, currency: str) -> str | None:
    """Return what two reports of one payment share: bank reference, direction and amount; None without a reference."""
    if reference is None:
        return None
    plain = "".join(reference.split()).upper()
    return f"{plain}:{direction}:{amount}:{currency}" if _REFERENCE.fullmatch(plain) else None


def seen_of(event: TransactionRecorded) -> Seen:
    """Return what is remembered of a payment."""
    said = event.original
    amount, currency = (event.amount, event.currency) if said is None else (said.amount, said.currency)
    merchant = event.merchant_name or event.merchant
    return Seen(
        event.transaction_id,
        event.local_date.toordinal(),
        event.amount,
        event.currency,
        event.direction,
        event.kind,
        f"{event.origin}/{event.source}",
        event.status in OPEN,
        event.origin == "user" and event.provenance == "self_reported",
        event.provenance == "imported",
        said is not None,
        bool(event.mcc or event.merchant),
        event.account_id,
        merchant.casefold()[:40] if merchant else None,
        reference_key(event.reference, event.direction, amount, currency),
    )


def recorded(pairs: Pairs, event: TransactionRecorded) -> None:
    """Remember a payment that moved money, or will: others may be seen to belong to it."""
    if event.status == "settled" or event.status in OPEN:
        pairs.remember(seen_of(event))
    elif event.duplicate_of is not None and (first := pairs.seen.get(event.duplicate_of)) is not None:
        first.is_reported = True


def changed(pairs: Pairs, event: TransactionChanged) -> None:
    """Follow a change of a payment that is remembered: one that ended, or that came to another amount, is forgotten."""
    seen = pairs.seen.get(event.transaction_id)
    if seen is None:
        return
    if event.status != "settled" and event.status not in OPEN:
        pairs.forget(event.transaction_id)
    elif event.amount == seen.amount and event.currency == seen.currency:
        seen.is_open = event.status in OPEN
    else:
        pairs.forget(event.transaction_id)


def twin(pairs: Pairs, command: RecordTransaction, direction: str, day: int, accounts: Accounts) -> Seen | None:
    """Return the payment that a report is another report of, beyond doubt; None when there is none.

    The same bank reference, direction and amount, within three days, from another source, not two accounts of the user.
    """
    said = command.original
    amount, currency = (command.amount, command.currency) if said is None else (said.amount, said.currency)
    key = reference_key(command.reference, direction, amount, currency)
    found = pairs.seen.get(pairs.by_reference.get(key, "")) if key is not None else None
    if found is None or found.source == f"{command.origin}/{command.source}":
        return None
    if abs(found.day - day) > SAME_REFERENCE_DAYS or _are_two(accounts, found.account_id, command.account_id):
        return None
    return found


def _are_two(accounts: Accounts, one: str | None, other: str | None) -> bool:
    return one != other and one in accounts and other in accounts


def suggestions(pairs: Pairs, new: Seen, accounts: Accounts) -> list[Suggestion]:
    """Return what a new payment may belong to, the nearest in time first, without what the user has rejected."""
    amount = new.amount
    near = [old for old in pairs.seen.values() if old.amount == amount or old.is_foreign or new.is_foreign]
    if not near:
        return []
    found = [*_duplicates(near, new, accounts), *_legs(near, new, accounts)]
    found = [one for one in found if not pairs.is_rejected(one[1].type, new.transaction_id, one[1].other_id)]
    return [suggestion for _, suggestion in sorted(found, key=lambda one: one[0])[:SUGGESTIONS_MAX]]


def _duplicates(near: list[Seen], new: Seen, accounts: Accounts) -> Iterator[tuple[int, Suggestion]]:
    for old in near:
        if old.amount != new.amount or old.direction != new.direction or old.currency != new.currency:
            continue
        if old.source == new.source or _are_two(accounts, old.account_id, new.account_id):
            continue
        written_down = (old.by_hand and new.imported) or (old.imported and new.by_hand)
        days = abs(old.day - new.day)
        if days > (BY_HAND_DAYS if written_down else DUPLICATE_DAYS):
            continue
        same_account = old.account_id is not None and old.account_id == new.account_id
        same_merchant = old.merchant is not None and old.merchant == new.merchant
        if same_account or same_merchant or written_down:
            yield days, Suggestion("duplicate", old.transaction_id)


def _legs(near: list[Seen], new: Seen, accounts: Accounts) -> Iterator[tuple[int, Suggestion]]:
    for old in near:
        days = abs(old.day - new.day)
        if not old.is_leg and days <= TRANSFER_DAYS and _may_be_legs(old, new, accounts):
            yield days, Suggestion("transfer", old.transaction_id)


def _may_be_legs(old: Seen, new: Seen, accounts: Accounts) -> bool:
    """Whether two payments may be a transfer: opposite, of one amount, between accounts of which one is known."""
    if old.direction == new.direction or old.account_id == new.account_id:
        return False
    if old.account_id is None or new.account_id is None:
        return False
    debit, credit = (old, new) if old.direction == "debit" else (new, old)
    into, out = accounts.get(credit.account_id or ""), accounts.get(debit.account_id or "")
    if (into is None and out is None) or not _kinds_fit(debit, credit, into):
        return False
    if old.is_foreign or new.is_foreign or old.currency != new.currency:
        return old.currency == new.currency and (
            abs(old.amount - new.amount) * 100 <= FX_TOLERANCE_PERCENT * max(old.amount, new.amount)
        )
    return old.amount == new.amount


def _kinds_fit(debit: Seen, credit: Seen, into: Account | None) -> bool:
    """Whether the kinds may be two sides of a transfer. The repayment of a loan is spend; that of a card is none."""
    if credit.kind not in MOVE_KINDS and credit.kind != "income":
        return False
    if debit.kind == "repayment":
        return into is not None and into.type == "card"
    return debit.kind in MOVE_KINDS or debit.kind in SPEND_KINDS - {"cash", "fee", "interest_paid"}


def match(pairs: Pairs, new: Seen, accounts: Accounts, found: list[Suggestion]) -> str | None:
    """Return the other leg of a transfer beyond doubt: the one candidate, to the minor unit, both accounts known.

    A purchase that names its merchant is only suggested: a friend may pay back the very amount.
    """
    legs = [one.other_id for one in found if one.type == "transfer"]
    if len(legs) != 1 or len(found) != 1:
        return None
    old = pairs.seen[legs[0]]
    if old.amount != new.amount or old.is_foreign or new.is_foreign or old.is_open or new.is_open:
        return None
    debit = old if old.direction == "debit" else new
    if debit.kind == "purchase" and debit.has_merchant:
        return None
    return old.transaction_id if old.account_id in accounts and new.account_id in accounts else None
