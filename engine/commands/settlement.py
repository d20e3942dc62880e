"""Commands of settlement."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.commands.autopay import EndMandate, ExecuteDebit, OptOut
from engine.commands.types import PositiveAmount, ShortText

Attempt = Annotated[int, Meta(ge=0, le=100, description="which execution of a debit under a mandate")]


class RequestWithdrawal(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="request_withdrawal"):
    """Ask to take `amount` (minor units of the home currency) out of a jar: takes the second factor."""

    jar_id: str
    amount: PositiveAmount
    destination: ShortText | None = None


class Withdraw(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="withdraw"):
    """Take `amount` out of a jar: the action of a challenge."""

    jar_id: str
    amount: PositiveAmount
    destination: ShortText | None = None


class ReportResult(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="report_result"):
    """What became of an instruction, by the host that was to execute it. `at` is when it happened.

    `attempt`: which execution it was; None: the last that was asked for.
    """

    instruction_id: str
    status: Literal["done", "failed"]
    reference: ShortText | None = None
    reason: ShortText | None = None
    at: datetime | None = None
    attempt: Attempt | None = None


class SweepNow(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="sweep_now"):
    """The user's word: settle what has accrued now, also after a failure."""


class SweepDue(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="sweep_due"):
    """Settle what has accrued, however little: the command of a timer."""


REPORTS = frozenset((ReportResult, SweepDue, ExecuteDebit, OptOut, EndMandate))
"""What must be recorded however full the books are: the host has moved the money already, is asked to, or is not."""
