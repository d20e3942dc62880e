"""Refunds of foreign purchases: compared in the currency that was paid, given back at the purchase's own rate."""

from msgspec import structs

from engine.commands import Foreign
from engine.views import OriginalView, TransactionView

PENDING = "rate_pending"


def revalued(credit: TransactionView, purchase: TransactionView) -> TransactionView:
    """Return a foreign credit in the currency of the purchase it gives back: its part of what the purchase came to.

    Cumulative, so that refunds in parts together give back what one would.
    """
    before = purchase.refunded_original
    amount = part(purchase, before + credit.amount) - part(purchase, before)
    rate = purchase.original
    return structs.replace(
        credit,
        amount=amount,
        currency=purchase.currency,
        original=OriginalView(credit.amount, credit.currency, rate.rate_date, rate.rate),
        flags=[flag for flag in credit.flags if flag != PENDING],
    )


def part(purchase: TransactionView, paid: int) -> int:
    """Return what a part of the purchase, in the currency it was paid in, came to: half-even."""
    total = purchase.original.amount
    whole, left = divmod(purchase.amount * paid, total)
    return whole + (2 * left > total or (2 * left == total and whole % 2 == 1))


def reported(credit: TransactionView, purchase: TransactionView) -> int:
    """Return what a credit gives back of a converted purchase, in the currency that was paid; 0 of any other."""
    paid = purchase.original.currency
    return credit.original.amount if paid != purchase.currency and credit.original.currency == paid else 0


def revaluation(known: TransactionView, now: TransactionView) -> int:
    """Return by how much more, at home, refunds in the currency that was paid give back at a purchase's new rate."""
    paid = known.refunded_original
    if not paid or known.original.currency != now.original.currency or not now.original.amount:
        return 0
    return part(now, paid) - part(known, paid)


def given(credit: TransactionView, purchase: TransactionView) -> int:
    """Return what a credit gives back of a purchase at home, at the purchase's rate as it is now."""
    own, paid = reported(credit, purchase), purchase.refunded_original
    return part(purchase, paid) - part(purchase, paid - own) if own else credit.amount


def said(view: TransactionView) -> Foreign | None:
    """Return what was reported of a converted transaction, as its event holds it."""
    original = view.original
    if original.rate_date is None or original.rate is None:
        return None
    return Foreign(original.amount, original.currency, original.rate_date, original.rate)
