"""What moved in a jar, and why: read back from the events, which are the only place it is written.

A new event that moves money in a jar takes a line in `REASONS`; one with postings that never do, a place in `NO_JAR`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.behaviour import Turn
from engine.events import (
    InstructionClosed,
    InstructionIssued,
    JarDeleted,
    JarDeposited,
    JarTransferred,
    Posting,
    SavingsNetted,
    TransactionChanged,
    TransactionEdited,
    TransactionRecorded,
    TransactionRefunded,
)
from engine.events.groups import GroupContributed, GroupPaidOut, GroupPledged, GroupPledgeVoided, GroupSpent
from engine.ledger import jar_account


class JarActivity(Struct, frozen=True, kw_only=True):
    """One movement in a jar: minor units, positive into it. `seq` is the turn that moved it.

    The amounts of all movements add up to the balance; `stages` names what each stage gained or lost. A change of stage
    alone moves nothing in or out, and is no movement.
    """

    seq: int
    at: datetime
    type: str
    amount: int
    currency: str
    stages: dict[str, int]
    transaction_id: str | None = None
    merchant: str | None = None
    deposit_id: str | None = None
    transfer_id: str | None = None
    instruction_id: str | None = None
    """The debit that brought it, or the payout that took it."""
    group_id: str | None = None
    from_jar: str | None = None
    to_jar: str | None = None
    refund_of: str | None = None
    """The purchase whose round-up a refund (`transaction_id`) took back."""


class Reason(Struct, frozen=True):
    """Why an event moves money: a word for each way; `shown` are fields of `JarActivity` by attribute of the event."""

    into: str
    out: str
    shown: dict[str, str] = {}


REASONS: dict[type, Reason] = {
    TransactionRecorded: Reason(
        "round_up", "round_up", {"transaction_id": "transaction_id", "merchant": "merchant_name"}
    ),
    TransactionChanged: Reason(
        "round_up", "round_up_reversed", {"transaction_id": "transaction_id", "merchant": "merchant"}
    ),
    TransactionRefunded: Reason(
        "round_up",
        "round_up_reversed",
        {"transaction_id": "transaction_id", "merchant": "merchant", "refund_of": "original_id"},
    ),
    JarDeposited: Reason("deposit", "deposit", {"deposit_id": "deposit_id"}),
    JarDeleted: Reason("moved_in", "moved_out", {"from_jar": "jar_id"}),
    InstructionIssued: Reason("reserved", "reserved", {"instruction_id": "instruction_id"}),
    SavingsNetted: Reason("settled", "settled"),
    InstructionClosed: Reason("settled", "withdrawn", {"instruction_id": "instruction_id"}),
    GroupPledged: Reason("group_contribution", "group_contribution"),
    GroupPledgeVoided: Reason("group_contribution", "group_contribution"),
    GroupContributed: Reason(
        "group_contribution", "group_contribution", {"group_id": "group_id", "transfer_id": "transfer_id"}
    ),
    GroupPaidOut: Reason("group_payout", "group_payout", {"group_id": "group_id", "transfer_id": "transfer_id"}),
    JarTransferred: Reason(
        "transfer_in", "transfer_out", {"transfer_id": "transfer_id", "from_jar": "jar_id", "to_jar": "to_jar"}
    ),
}
NO_JAR: frozenset[type] = frozenset({GroupSpent, TransactionEdited})
"""Events whose postings never name a jar."""


def of_turn(turn: Turn, jar_id: str) -> list[JarActivity]:
    """Return what a turn moved in a jar."""
    found = (_movement(turn, event, jar_id) for event in turn.events if getattr(event, "postings", ()))
    return [movement for movement in found if movement is not None]


def _movement(turn: Turn, event: Any, jar_id: str) -> JarActivity | None:
    account = jar_account(jar_id, "")
    stages: dict[str, int] = {}
    for posting in _of(event.postings, account):
        stage = posting.account.removeprefix(account)
        stages[stage] = stages.get(stage, 0) + posting.amount
    stages = {stage: amount for stage, amount in stages.items() if amount}
    amount = sum(stages.values())
    if not amount:
        return None
    reason = REASONS[type(event)]
    return JarActivity(
        seq=turn.seq,
        at=turn.at,
        type=reason.into if amount > 0 else reason.out,
        amount=amount,
        currency=next(_of(event.postings, account)).currency,
        stages=stages,
        **{name: getattr(event, attribute) for name, attribute in reason.shown.items()},
    )


def _of(postings: list[Posting], account: str) -> Iterator[Posting]:
    return (posting for posting in postings if posting.account.startswith(account))
