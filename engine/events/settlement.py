"""Events of settlement: what the host is asked to move, and what became of it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from engine.events.types import JarShare, Posting

InstructionType = Literal["debit", "payout"]
InstructionStatus = Literal["open", "done", "failed"]
SweepReason = Literal["deposit", "threshold", "timer", "user", "income"]


class Instruction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money the host is asked to move: a debit takes it from the wallet into jars, a payout out of a jar again."""

    instruction_id: str
    type: InstructionType
    amount: int
    currency: str
    parts: list[JarShare]
    created_at: datetime
    status: InstructionStatus = "open"
    due: datetime | None = None
    """Not to be executed before."""
    mandate_id: str | None = None
    destination: str | None = None
    """Where a payout goes; None: the wallet it came from."""
    attempt: int = 0
    """Which execution under a mandate the host was asked for last."""
    submitted: bool = False
    """Whether the host is asked to execute that attempt now."""
    reference: str | None = None
    reason: str | None = None
    reported_at: datetime | None = None
    """When the host says that it happened."""
    sandbox: bool = False
    """Whether the sandbox host is to execute it; a live tenant's waits for the host that polls."""

    @property
    def is_ready(self) -> bool:
        """Whether the host may execute it now."""
        return self.status == "open" and (self.mandate_id is None or self.submitted)


class InstructionIssued(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="instruction_issued"
):
    """The host is asked to move money: accrued sums are scheduled, or settled ones reserved."""

    instruction: Instruction
    at: datetime
    postings: list[Posting]
    why: SweepReason | None = None
    """What began a sweep; None for a payout."""

    @property
    def instruction_id(self) -> str:
        """The instruction's."""
        return self.instruction.instruction_id


class SavingsNetted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="savings_netted"):
    """What refunds took from settled savings paid for what has accrued: `parts` are settled without a debit."""

    at: datetime
    amount: int
    currency: str
    parts: list[JarShare]
    postings: list[Posting]


class InstructionClosed(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="instruction_closed"
):
    """The host did it or failed; a failure puts the money back to where it was."""

    instruction: Instruction
    at: datetime
    postings: list[Posting]
    counts: bool = False
    """Whether it is a failure that holds back further sweeps."""

    @property
    def instruction_id(self) -> str:
        """The instruction's."""
        return self.instruction.instruction_id


class SweepPlanned(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="sweep_planned"):
    """What has accrued is swept at `due` at the latest; None: nothing waits."""

    due: datetime | None = None


class SweepsResumed(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="sweeps_resumed"):
    """Sweeps go on after a failed one; `afresh`: failures are counted from nothing again."""

    at: datetime
    afresh: bool = False


class IncomeAwaited(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="income_awaited"):
    """An income came while sweeps wait for two of them."""

    incomes: int
