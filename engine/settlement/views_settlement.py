"""What the wire shows of settlement."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from engine.events import Instruction, JarShare, Mandate, SavingsNetted
from engine.settlement.autopay import WITHOUT_PIN_MAX


class InstructionView(Struct, frozen=True, kw_only=True):
    """Money the host is asked to move. `due`: not before; `mandate`: under which; `attempt` counts executions of it.

    `ready`: the host may execute it now.
    """

    instruction_id: str
    user_id: str
    type: str
    amount: int
    currency: str
    parts: list[JarShare]
    status: str
    created_at: datetime
    due: datetime | None
    mandate: str | None
    destination: str | None
    attempt: int
    ready: bool
    reference: str | None
    reason: str | None
    reported_at: datetime | None


class WithdrawalView(Struct, frozen=True, kw_only=True):
    """A withdrawal: `withdrawal_id` is the id of its instruction, `status` that of it."""

    withdrawal_id: str
    jar_id: str
    amount: int
    currency: str
    status: str


class NettedView(Struct, frozen=True, kw_only=True):
    """A sweep without a debit: what refunds had taken from settled savings paid for all that had accrued."""

    netted: int
    currency: str
    parts: list[JarShare]


class MandateView(Struct, frozen=True, kw_only=True):
    """A mandate; a debit takes at most `cap`, and never more than `debit_max`: what needs no PIN."""

    mandate_id: str
    provider: str
    reference: str | None
    cap: int
    debit_max: int
    floor: int | None
    created_at: datetime


def mandate(one: Mandate) -> MandateView:
    """Return a mandate as the wire shows it."""
    return MandateView(
        mandate_id=one.mandate_id,
        provider=one.provider,
        reference=one.reference,
        cap=one.cap,
        debit_max=min(one.cap, WITHOUT_PIN_MAX),
        floor=one.floor,
        created_at=one.created_at,
    )


def instruction(one: Instruction, user_id: str) -> InstructionView:
    """Return an instruction as the wire shows it."""
    return InstructionView(
        instruction_id=one.instruction_id,
        user_id=user_id,
        type=one.type,
        amount=one.amount,
        currency=one.currency,
        parts=one.parts,
        status=one.status,
        created_at=one.created_at,
        due=one.due,
        mandate=one.mandate_id,
        destination=one.destination,
        attempt=one.attempt,
        ready=one.is_ready,
        reference=one.reference,
        reason=one.reason,
        reported_at=one.reported_at,
    )


def netted(event: SavingsNetted) -> NettedView:
    """Return what a sweep settled without a debit as the wire shows it."""
    return NettedView(netted=event.amount, currency=event.currency, parts=event.parts)


def withdrawal(one: Instruction) -> WithdrawalView:
    """Return a payout as the answer of a withdrawal."""
    return WithdrawalView(
        withdrawal_id=one.instruction_id,
        jar_id=one.parts[0].jar_id,
        amount=one.amount,
        currency=one.currency,
        status=one.status,
    )


def plain(view: Struct) -> dict[str, Any]:
    """Return a view as what `Shown` keeps."""
    return dict(msgspec.to_builtins(view))
