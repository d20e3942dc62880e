"""The life of a transaction: which report of it counts, given what is known. A table, no arithmetic.

Reports of one identity are ordered by how far along their status is, then by `revision`. Of an authorisation and an
end without settlement (declined, voided, expired) neither is further: a declined payment may succeed late, an
authorised one be voided; what arrives last counts. Nothing goes back from settled, nor from reversed.
"""

from typing import Literal

from engine.commands import RecordTransaction
from engine.kinds import INCOME_KINDS
from engine.views import NO_LIFE, TransactionView

OPEN = frozenset({"pending", "authorised"})
ENDED = frozenset({"declined", "voided", "expired"})
DELETED, AWAITED, DRAWN, DUPLICATE = "deleted", "awaited", "drawn", "duplicate"
"""Statuses no report has: a tombstone; an authorisation known only from its settlement; one that settled under other
ids. Lists leave them out."""
HIDDEN = frozenset({DELETED, AWAITED, DRAWN, DUPLICATE})
_ALONG = {"pending": 0, "authorised": 1, "declined": 1, "voided": 1, "expired": 1, "settled": 2, "reversed": 3}

Verdict = Literal["counts", "stale_status", "stale_revision", "deleted", "duplicate_of"]


def along(status: str, kind: str) -> int:
    """Return how far along a status is. The void of a settled credit is its end: that money went out again."""
    if status == "voided" and (kind == "refund" or kind in INCOME_KINDS):
        return _ALONG["reversed"]
    return _ALONG[status]


def judge(known: TransactionView, command: RecordTransaction) -> Verdict:
    """Say whether a report of a known transaction counts, or why it does not."""
    if known.status == DELETED:
        return "deleted"
    if known.status == DUPLICATE:
        return "duplicate_of"
    if known.status == AWAITED:
        return "stale_status" if (known.life or NO_LIFE).closed else "counts"
    if known.status == DRAWN:
        raised = command.status in OPEN and command.revision > known.revision
        return "counts" if raised and not (known.life or NO_LIFE).closed else "stale_status"
    before, now = along(known.status, known.kind), along(command.status, known.kind)
    if now != before:
        return "counts" if now > before else "stale_status"
    if command.revision != known.revision:
        return "counts" if command.revision > known.revision else "stale_revision"
    both_ended = command.status in ENDED and known.status in ENDED
    return "stale_status" if both_ended or command.status == known.status else "counts"


def effect_of(known: str, status: str) -> str:
    """Return what a receipt calls the step from a known status to another."""
    if status == "settled":
        return "amended" if known == "settled" else "settled"
    if status in ENDED or status == "reversed":
        return "voided" if known in OPEN or known == "settled" else "amended"
    return "recorded" if known in ENDED or known == AWAITED else "amended"
