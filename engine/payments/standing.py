"""What a transaction stands for, as it is now: on the books and in what is spent. A change is the difference of two."""

from datetime import date
from typing import Any

from msgspec import structs

from engine.accounts import foreign
from engine.events import Counted, DatedAmount, Hold, JarShare, Posting
from engine.kinds import INCOME_KINDS, SPEND_KINDS
from engine.ledger import HELD, OWN, WALLET
from engine.payments.life import OPEN
from engine.views import NO_LIFE, TransactionView

EXCESS = "income:refund"
Books = dict[tuple[str, str], int]


def counted(view: TransactionView) -> int:
    """Return the amount that counts: what is settled, else what is held and not drawn yet, of spends alone.

    A reversal gives back what refunds had left, so that what they gave back remains counted, and given back.
    """
    if view.status == "settled":
        return view.amount
    if view.kind not in SPEND_KINDS:
        return 0
    if view.status in OPEN:
        life = view.life or NO_LIFE
        return 0 if life.closed else max(0, view.amount - life.drawn)
    return view.refunded_amount if view.status == "reversed" else 0


def is_spend_kind(kind: str) -> bool:
    """Whether this kind is spent."""
    return kind in SPEND_KINDS


def is_spend(view: TransactionView) -> bool:
    """Whether a transaction is of a kind that is spent."""
    return view.kind in SPEND_KINDS


def held(view: TransactionView) -> int:
    """Return how much of what counts is provisional."""
    return counted(view) if view.status in OPEN else 0


def hold(view: TransactionView, saved: list[JarShare]) -> Hold | None:
    """Return what the state keeps of an authorisation; None once it holds nothing any more."""
    amount = held(view)
    return Hold(amount, saved) if amount else None


def with_refunds(known: TransactionView, now: TransactionView, day: date) -> TransactionView:
    """Return a changed transaction with what refunds give back of it now: at most what counts; the rest is excess.

    What they give back more than before counts on `day`.
    """
    if known.currency != now.currency:
        return now
    total = known.refunded_amount + (known.life or NO_LIFE).refund_excess + foreign.revaluation(known, now)
    room = known.refunded_amount if now.status == "reversed" else counted(now) if is_spend(now) else 0
    return claimed(structs.replace(now, refunds=_dated(known, now)), total, room, day) if total else now


def claimed(view: TransactionView, total: int, room: int, day: date) -> TransactionView:
    """Return a transaction of which refunds claim `total`, and of which `room` can be given back."""
    given = min(room, total)
    after = structs.replace(view.life or NO_LIFE, refund_excess=total - given)
    return structs.replace(view, refunded_amount=given, refunds=_cut(view, given, day), life=after)


def _dated(known: TransactionView, now: TransactionView) -> list[DatedAmount]:
    """Return the parts given back; what counted on the purchase's own date moves with that date."""
    moves = {known.local_date: now.local_date}
    return _by_day([DatedAmount(moves.get(part.local_date, part.local_date), part.amount) for part in known.refunds])


def _cut(view: TransactionView, given: int, day: date) -> list[DatedAmount]:
    """Return the parts given back, `given` together: the last ones go first, what is more counts on `day`."""
    parts, left = [], given
    for part in view.refunds:
        amount = min(left, part.amount)
        left -= amount
        if amount:
            parts.append(DatedAmount(part.local_date, amount))
    if left:
        parts.append(DatedAmount(day, left))
    return _by_day(parts)


def _by_day(parts: list[DatedAmount]) -> list[DatedAmount]:
    sums: dict[Any, int] = {}
    for part in parts:
        sums[part.local_date] = sums.get(part.local_date, 0) + part.amount
    return [DatedAmount(day, amount) for day, amount in sums.items()]


def books(view: TransactionView) -> Books:
    """Return the balances that a transaction and its refunds stand for, by account and currency.

    Of what is no spend refunds give nothing back: they are other income, in the wallet all the same.
    """
    amount, currency = counted(view), view.currency
    given = view.refunded_amount if view.kind in SPEND_KINDS else 0
    claimed_by_refunds = view.refunded_amount + (view.life or NO_LIFE).refund_excess
    if view.kind in SPEND_KINDS:
        paid = HELD if view.status in OPEN else WALLET
        legs = [(f"expense:{view.category}", amount - given), (paid, -amount)]
    elif view.kind in INCOME_KINDS:
        legs = [(WALLET, amount), (f"income:{view.category}", -amount)]
    else:
        amount = amount if view.direction == "debit" else -amount
        legs = [(OWN, amount), (WALLET, -amount)]
    sums: Books = {}
    for account, value in (*legs, (WALLET, claimed_by_refunds), (EXCESS, given - claimed_by_refunds)):
        sums[account, currency] = sums.get((account, currency), 0) + value
    return sums


def postings(before: Books, after: Books) -> list[Posting]:
    """Return the postings that lead from one set of balances to another."""
    keys = {**before, **after}
    changes = [(key, after.get(key, 0) - before.get(key, 0)) for key in keys]
    return [Posting(account, amount, currency) for (account, currency), amount in changes if amount]


def spent(view: TransactionView) -> list[Counted]:
    """Return how a transaction and its refunds count as spent, in home currency."""
    if not view.counts_as_spend:
        return []
    whole = Counted(view.local_date, view.category, counted(view), held(view))
    return [whole, *(Counted(part.local_date, view.category, -part.amount) for part in view.refunds)]


def moved(before: list[Counted], after: list[Counted]) -> list[Counted]:
    """Return the changes that lead from one count to another."""
    sums: dict[tuple[Any, str], tuple[int, int]] = {}
    for sign, counts in ((-1, before), (1, after)):
        for one in counts:
            amount, provisional = sums.get((one.local_date, one.category), (0, 0))
            sums[one.local_date, one.category] = (amount + sign * one.amount, provisional + sign * one.provisional)
    return [
        Counted(day, category, amount, provisional)
        for (day, category), (amount, provisional) in sums.items()
        if amount or provisional
    ]
