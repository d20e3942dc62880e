"""What moved in a jar, and why: read back from the events, which are the only place it is written."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from engine.behaviour import Turn
from engine.events import JarDeleted, JarDeposited, Posting, TransactionRecorded, TransactionRefunded
from engine.ledger import jar_account


class JarActivity(Struct, frozen=True, kw_only=True):
    """One movement in a jar: minor units, positive into it. `seq` is the turn that moved it."""

    seq: int
    at: datetime
    type: Literal["round_up", "round_up_reversed", "deposit", "moved_in"]
    amount: int
    currency: str
    transaction_id: str | None = None
    merchant: str | None = None
    deposit_id: str | None = None
    from_jar: str | None = None
    refund_of: str | None = None
    """The purchase whose round-up a refund (`transaction_id`) took back."""


def of_turn(turn: Turn, jar_id: str) -> list[JarActivity]:
    """Return what a turn moved in a jar."""
    found = []
    for event in turn.events:
        postings: Iterable[Posting] = getattr(event, "postings", ())
        account = jar_account(jar_id, "")
        into = [posting for posting in postings if posting.account.startswith(account)]
        amount = sum(posting.amount for posting in into)
        if amount:
            found.append(_movement(turn, event, amount, into[0].currency))
    return found


def _movement(turn: Turn, event: object, amount: int, currency: str) -> JarActivity:
    match event:
        case TransactionRecorded():
            return JarActivity(
                seq=turn.seq,
                at=turn.at,
                type="round_up",
                amount=amount,
                currency=currency,
                transaction_id=event.transaction_id,
                merchant=event.merchant_name,
            )
        case TransactionRefunded():
            return JarActivity(
                seq=turn.seq,
                at=turn.at,
                type="round_up_reversed",
                amount=amount,
                currency=currency,
                transaction_id=event.transaction_id,
                merchant=event.merchant,
                refund_of=event.original_id,
            )
        case JarDeposited():
            return JarActivity(
                seq=turn.seq, at=turn.at, type="deposit", amount=amount, currency=currency, deposit_id=event.deposit_id
            )
        case JarDeleted():
            return JarActivity(
                seq=turn.seq, at=turn.at, type="moved_in", amount=amount, currency=currency, from_jar=event.jar_id
            )
    raise TypeError(f"{type(event).__name__} moves money in a jar, and no reason is known for it")
