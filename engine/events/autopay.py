"""Events of UPI AutoPay."""

from datetime import datetime

from msgspec import Struct

from engine.events.settlement import Instruction


class Mandate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the person allowed at the provider: debits of at most `cap`, none that leaves less than `floor`."""

    mandate_id: str
    provider: str
    cap: int
    created_at: datetime
    reference: str | None = None
    """The provider's name of it."""
    floor: int | None = None


class MandateSet(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="mandate_set"):
    """Savings are debited under this mandate from now on."""

    mandate: Mandate
    at: datetime


class MandateEnded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="mandate_ended"):
    """There is no mandate any more."""

    mandate_id: str
    at: datetime


class DebitSubmitted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="debit_submitted"):
    """The host is asked to execute a debit under a mandate now: its notice is old enough, and it is off-peak."""

    instruction: Instruction
    at: datetime


class DebitPutOff(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="debit_put_off"):
    """An execution failed; the next one is at the instruction's `due`."""

    instruction: Instruction
    at: datetime
    reason: str | None = None
