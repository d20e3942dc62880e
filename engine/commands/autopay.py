"""Commands of UPI AutoPay."""

from msgspec import Struct

from engine.commands.types import Amount, PositiveAmount, ShortText, Source


class MandateFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A mandate at a provider: `cap` is the most one debit takes, `floor` what it must leave; minor units of INR."""

    provider: Source
    cap: PositiveAmount
    reference: ShortText | None = None
    floor: Amount | None = None


class SetMandate(MandateFields, frozen=True, kw_only=True, omit_defaults=True, tag="set_mandate"):
    """Debit savings under a mandate: a new one, or a higher cap, takes the second factor."""


class ApplyMandate(MandateFields, frozen=True, kw_only=True, omit_defaults=True, tag="apply_mandate"):
    """Take a mandate over: the action of a challenge."""


class EndMandate(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="end_mandate"):
    """Debit nothing under the mandate any more."""

    mandate_id: str


class ExecuteDebit(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="execute_debit"):
    """Ask the host for an execution that was announced: the command of a timer."""

    instruction_id: str
    attempt: int


class OptOut(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="opt_out"):
    """The person does not want this one debit."""

    instruction_id: str
