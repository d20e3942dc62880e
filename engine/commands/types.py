"""What commands are made of: bounded amounts, texts and vocabularies of the wire."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

AMOUNT_MAX = 2**53 - 1
"""Largest amount, in minor units: what every JSON reader keeps exactly."""
PRINTABLE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
TEXT_END = r"$(?!\n)"
"""The end of a text, for the pattern languages of Python and of JSON Schema: a bare `$` lets a last newline pass."""
Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX, description="minor units")]
PositiveAmount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX, description="minor units, at least 1")]
Balance = Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX, description="minor units, may be negative")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}" + TEXT_END, description="ISO 4217 code")]
Slug = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,39}" + TEXT_END)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+" + TEXT_END)]
Source = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}" + TEXT_END)]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]
Text = Annotated[str, Meta(max_length=500, pattern=PRINTABLE)]
ShortText = Annotated[str, Meta(max_length=120, pattern=PRINTABLE)]
Mcc = Annotated[str, Meta(pattern="^[0-9]{4}" + TEXT_END, description="ISO 18245 merchant category code")]
Direction = Literal["debit", "credit"]
Kind = Literal[
    "purchase",
    "p2p",
    "cash",
    "fee",
    "interest_paid",
    "repayment",
    "transfer",
    "savings",
    "investment",
    "income",
    "interest",
    "cashback",
    "refund",
]
Status = Literal["pending", "authorised", "settled", "reversed", "declined", "voided", "expired"]
Provenance = Literal["self_reported", "wallet", "provider_signed", "provider_confirmed", "imported"]
ExactMultiple = Literal["none", "full_unit"]
TenantMode = Literal["sandbox", "live"]
AutoSavingState = Literal["on", "paused", "off"]
RefundPolicy = Literal["reverse", "keep"]
PlanPeriod = Literal["day", "week", "month"]
BudgetPeriod = Literal["weekly", "monthly"]
Rollover = Literal["none", "surplus", "all"]


class Foreign(Struct, frozen=True, omit_defaults=True):
    """What a report said before it was converted; `rate` is home for one major unit, as a decimal, of `rate_date`."""

    amount: int
    currency: str
    rate_date: date
    rate: str


class Location(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a payment was made, as far as the source knows."""

    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lng: Annotated[float, Meta(ge=-180, le=180)] | None = None
    name: ShortText | None = None
    city: ShortText | None = None
    country: ShortText | None = None


class Rounding(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Round-up settings. `unit`, `floor` and caps in minor units of the home currency.

    A cap that is None stands for the currency's default (`engine.payments.roundups.default_caps`).
    """

    unit: PositiveAmount | None = None
    multiplier: Annotated[int, Meta(ge=1, le=10)] = 1
    exact_multiple: ExactMultiple = "none"
    round_up_p2p: bool = True
    floor: Amount | None = None
    event_cap: PositiveAmount | None = None
    daily_cap: PositiveAmount | None = None


class AutoSaving(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whether spends are rounded up; `until` (a local date, inclusive) ends a pause by itself."""

    state: AutoSavingState = "on"
    until: date | None = None


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What counts as keeping a streak: at least `amount` (minor units; any saving when None) in every period."""

    every: PlanPeriod = "week"
    amount: PositiveAmount | None = None
