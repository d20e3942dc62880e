"""What a user's actor can be asked to do.

Every command is a tagged struct. Encoded with `omit_defaults`, an explicit default and an absent field are the same
bytes, so the hash of a command (idempotency) survives a release that adds a field. Amounts are integers in minor units
of the `currency` beside them; times carry an offset.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

AMOUNT_MAX = 2**53 - 1
"""Largest amount, in minor units: what every JSON reader keeps exactly."""

_PRINTABLE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_END = r"$(?!\n)"
"""The end of a text, for the pattern languages of Python and of JSON Schema: a bare `$` lets a last newline pass."""

Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX, description="minor units")]
PositiveAmount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX, description="minor units, at least 1")]
Balance = Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX, description="minor units, may be negative")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}" + _END, description="ISO 4217 code")]
Slug = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,39}" + _END)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]
Source = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}" + _END)]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PRINTABLE)]
Text = Annotated[str, Meta(max_length=500, pattern=_PRINTABLE)]
ShortText = Annotated[str, Meta(max_length=120, pattern=_PRINTABLE)]
Mcc = Annotated[str, Meta(pattern="^[0-9]{4}" + _END, description="ISO 18245 merchant category code")]

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
AutoSavingState = Literal["on", "paused", "off"]
RefundPolicy = Literal["reverse", "keep"]
PlanPeriod = Literal["day", "week", "month"]
BudgetPeriod = Literal["weekly", "monthly"]


class Location(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a payment was made, as far as the source knows."""

    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lng: Annotated[float, Meta(ge=-180, le=180)] | None = None
    name: ShortText | None = None
    city: ShortText | None = None
    country: ShortText | None = None


class Rounding(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Round-up settings. `unit`, `floor` and caps in minor units of the home currency.

    A cap that is None stands for the currency's default (`engine.roundups.default_caps`).
    """

    unit: PositiveAmount | None = None
    multiplier: Annotated[int, Meta(ge=1, le=10)] = 1
    exact_multiple: ExactMultiple = "none"
    round_up_p2p: bool = True
    floor: Amount | None = None
    event_cap: PositiveAmount | None = None
    daily_cap: PositiveAmount | None = None


class RoundingPatch(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of round-up settings; an absent field stays, null brings back the currency's default."""

    unit: PositiveAmount | None | UnsetType = UNSET
    multiplier: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    exact_multiple: ExactMultiple | UnsetType = UNSET
    round_up_p2p: bool | UnsetType = UNSET
    floor: Amount | None | UnsetType = UNSET
    event_cap: PositiveAmount | None | UnsetType = UNSET
    daily_cap: PositiveAmount | None | UnsetType = UNSET


class AutoSaving(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whether spends are rounded up; `until` (a local date, inclusive) ends a pause by itself."""

    state: AutoSavingState = "on"
    until: date | None = None


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What counts as keeping a streak: at least `amount` (minor units; any saving when None) in every period."""

    every: PlanPeriod = "week"
    amount: PositiveAmount | None = None


class TransactionFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One report of one payment by one source: what the wire and the command share."""

    external_id: ExternalId
    source: Source
    amount: Amount
    currency: Currency
    direction: Direction | None = None
    """None: what the kind implies (`debit` for a purchase, `credit` for income)."""
    kind: Kind = "purchase"
    status: Status = "settled"
    revision: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    merchant: ShortText | None = None
    description: Text | None = None
    mcc: Mcc | None = None
    category: Slug | None = None
    occurred_at: datetime | None = None
    reference: ShortText | None = None
    account_id: ShortText | None = None
    balance_after: Balance | None = None
    method: ShortText | None = None
    counterparty: ShortText | None = None
    location: Location | ShortText | None = None
    metadata: Annotated[dict[ShortText, Text | Balance | bool | None], Meta(max_length=20)] = {}
    pending_external_id: ExternalId | None = None
    final: bool | None = None
    original_external_id: ExternalId | None = None


class OpenUser(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="open_user"):
    """Open the actor: at sign-up with the person's choices, else with the tenant's defaults."""

    currency: Currency = "INR"
    time_zone: str = "Asia/Kolkata"
    name: Name | None = None
    phone: ShortText | None = None
    auto_saving: AutoSavingState = "off"


class UpdateProfile(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="update_profile"
):
    """Change settings; an absent field stays. A changed setting acts on later events only."""

    name: Name | UnsetType = UNSET
    phone: ShortText | None | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    rounding: RoundingPatch | UnsetType = UNSET
    auto_saving: AutoSaving | UnsetType = UNSET
    refund_policy: RefundPolicy | UnsetType = UNSET
    monthly_budget: Amount | None | UnsetType = UNSET
    plan: Plan | UnsetType = UNSET
    notifications: dict[Slug, bool] | UnsetType = UNSET


class RecordTransaction(TransactionFields, frozen=True, kw_only=True, omit_defaults=True, tag="record_transaction"):
    """Record one report of a payment. Who reports it (origin, provenance) comes from the credential."""

    origin: str = "user"
    provenance: Provenance = "self_reported"


class TransactionChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The user's word on a transaction; an absent field stays. A category moves budgets by postings."""

    category: Slug | UnsetType = UNSET
    description: Text | None | UnsetType = UNSET
    note: Text | None | UnsetType = UNSET
    refund_of: ExternalId | UnsetType = UNSET
    """The id of the purchase that this credit gave back; goes alone."""


class EditTransaction(TransactionChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_transaction"):
    """Change what a person may change of a transaction."""

    transaction_id: str


class CreateJar(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="create_jar"):
    """A new jar; `priority` orders who receives round-ups first (lower first, ties by creation)."""

    name: Name
    target_amount: PositiveAmount | None = None
    deadline: date | None = None
    image_url: Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s\x00-\x1f]+" + _END)] | None = None
    priority: Annotated[int, Meta(ge=1, le=1000)] = 100
    cap_at_target: bool = False
    plan: Plan | None = None


class JarChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of a jar's description; an absent field stays, null clears it."""

    name: Name | UnsetType = UNSET
    target_amount: PositiveAmount | None | UnsetType = UNSET
    deadline: date | None | UnsetType = UNSET
    image_url: Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s\x00-\x1f]+" + _END)] | None | UnsetType = (
        UNSET
    )
    priority: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    cap_at_target: bool | UnsetType = UNSET
    plan: Plan | None | UnsetType = UNSET


class EditJar(JarChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_jar"):
    """Change a jar."""

    jar_id: str


class DeleteJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delete_jar"):
    """Delete a jar; one that holds money only with `move_to`, the jar that takes it."""

    jar_id: str
    move_to: str | None = None


class DepositToJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="deposit_to_jar"):
    """Put `amount` (minor units of the home currency) into a jar by hand."""

    jar_id: str
    amount: PositiveAmount


class SetBudget(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="set_budget"):
    """Set the limit of a category, or of `overall`, for a period; at most one budget a (category, period)."""

    category: Slug
    limit: Amount
    period: BudgetPeriod = "monthly"
    starts_on: Annotated[int, Meta(ge=1, le=31)] | None = None
    """Day of month (29-31 clamp), or ISO weekday 1-7 of a weekly budget; None: the 1st, or Monday."""
    rollover: Literal["none"] = "none"


class DeleteBudget(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delete_budget"):
    """Remove the budget of a category: of one period, or all of them."""

    category: Slug
    period: BudgetPeriod | None = None


Command = (
    OpenUser
    | UpdateProfile
    | RecordTransaction
    | EditTransaction
    | CreateJar
    | EditJar
    | DeleteJar
    | DepositToJar
    | SetBudget
    | DeleteBudget
)
