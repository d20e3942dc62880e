"""What happened to a user: the only thing the journal keeps, and all that a replay needs.

Names are in the past tense. A field added later takes a default; a changed meaning takes a new event type. Every event
that moves money carries `postings` that sum to zero per currency (`engine.ledger`). Amounts in minor units.
"""

from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

from engine.commands import AutoSaving, Location, Plan, Rounding

AlertType = Literal[
    "budget_threshold",
    "budget_exceeded",
    "burn_rate",
    "anomaly",
    "jar_target_reached",
    "milestone",
    "goal_behind",
    "goal_missed",
    "streak",
    "badge",
    "recurring_due",
    "recurring_missed",
    "summary",
    "deal",
    "correction",
    "savings_paused",
]
Severity = Literal["info", "warning", "critical"]
SkipReason = Literal["off", "paused", "floor", "cap", "historical", "not_eligible", "exact_multiple", "no_jar"]


class Posting(Struct, frozen=True, array_like=True, gc=False):
    """One leg of a double entry: positive debits the account, negative credits it."""

    account: str
    amount: int
    currency: str


class JarShare(Struct, frozen=True, gc=False):
    """What one jar received."""

    jar_id: str
    amount: int


class DatedAmount(Struct, frozen=True, gc=False):
    """An amount on a local date."""

    local_date: date
    amount: int


class RoundUp(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was saved on a spend, or why nothing was. `amount` = `base` + `boost` (the multiplier's part)."""

    state: Literal["skipped", "provisional", "accrued"]
    base: int = 0
    boost: int = 0
    reason: SkipReason | Literal["rate_pending"] | None = None

    @property
    def amount(self) -> int:
        """Everything that was saved on the spend."""
        return self.base + self.boost


class UserOpened(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="user_opened"):
    """The actor exists from here on; its default jar is made with it."""

    at: datetime
    currency: str
    time_zone: str
    default_jar_id: str
    name: str | None = None
    phone: str | None = None
    auto_saving: AutoSaving


class ProfileUpdated(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="profile_updated"):
    """The whole set of settings after a change."""

    at: datetime
    name: str | None
    phone: str | None
    currency: str
    time_zone: str
    rounding: Rounding
    auto_saving: AutoSaving
    refund_policy: Literal["reverse", "keep"]
    plan: Plan
    notifications: dict[str, bool] = {}
    zone_from: datetime | None = None
    """When a changed `time_zone` begins to date events; None: at once."""


class TransactionRecorded(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="transaction_recorded"
):
    """A payment was recorded, with everything that was decided about it on arrival."""

    transaction_id: str
    origin: str
    source: str
    external_id: str
    status: str
    kind: str
    direction: Literal["debit", "credit"]
    amount: int
    currency: str
    occurred_at: datetime
    recorded_at: datetime
    recorded_on: date
    """Local date of `recorded_at`, decided once: a replay under another time zone database is the same."""
    local_date: date
    category: str
    confidence: float
    category_by: str
    provenance: str
    postings: list[Posting]
    round_up: RoundUp
    shares: list[JarShare] = []
    counts_as_spend: bool = False
    revision: int = 0
    merchant: str | None = None
    merchant_name: str | None = None
    description: str | None = None
    mcc: str | None = None
    reference: str | None = None
    account_id: str | None = None
    balance_after: int | None = None
    method: str | None = None
    counterparty: str | None = None
    location: Location | str | None = None
    metadata: dict[str, str | int | bool | None] = {}
    flags: list[str] = []
    pending_external_id: str | None = None
    original_external_id: str | None = None


class TransactionEdited(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="transaction_edited"
):
    """The user's word: the values after the edit; `postings` move the spend between categories when that changed."""

    transaction_id: str
    at: datetime
    local_date: date
    amount: int
    currency: str
    old_category: str
    category: str
    counts_as_spend: bool
    description: str | None = None
    note: str | None = None
    postings: list[Posting] = []
    refunds: list[DatedAmount] = []
    """What refunds gave back of it, by the date it counts on: it moves to the new category with the spend."""
    by_user: bool = False
    """Whether the edit names the category; it may be the one it had."""


class TransactionRefunded(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="transaction_refunded"
):
    """A credit gave back a purchase or a part of it; `postings` do so, the purchase's own stay as they are."""

    transaction_id: str
    """The credit."""
    original_id: str
    """The purchase."""
    at: datetime
    local_date: date
    """The date on which budgets and burn rate get `amount` back."""
    amount: int
    currency: str
    category: str
    counts_as_spend: bool
    postings: list[Posting]
    excess: int = 0
    """What the credit is above the purchase: other income."""
    shares: list[JarShare] = []
    """What was taken back from jars, negative."""
    rearmed: list[str] = []
    """Marks of budget thresholds that may tell once more in their period."""
    merchant: str | None = None
    credit: TransactionRecorded | None = None
    """The credit as it was reported; None for one that had been recorded before. Its postings are those above."""


class JarDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole description of a jar."""

    jar_id: str
    at: datetime
    name: str
    target_amount: int | None = None
    deadline: date | None = None
    image_url: str | None = None
    priority: int = 100
    cap_at_target: bool = False
    plan: Plan | None = None


class JarCreated(JarDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_created"):
    """A jar exists; it is empty."""


class JarEdited(JarDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_edited"):
    """A jar is described anew."""


class JarDeleted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_deleted"):
    """A jar is gone; what it held went to `move_to` by `postings`."""

    jar_id: str
    at: datetime
    move_to: str | None = None
    postings: list[Posting] = []


class JarDeposited(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_deposited"):
    """Money was promised to a jar by hand."""

    deposit_id: str
    jar_id: str
    at: datetime
    local_date: date
    amount: int
    postings: list[Posting]


class BudgetSet(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="budget_set"):
    """A budget has this limit from now on; `told` are the thresholds already passed, which stay silent."""

    budget_id: str
    at: datetime
    category: str
    period: Literal["weekly", "monthly"]
    limit: int
    starts_on: int
    period_start: date
    told: list[str] = []


class BudgetDeleted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="budget_deleted"):
    """A budget is gone."""

    budget_id: str
    at: datetime
    category: str
    period: Literal["weekly", "monthly"]


class AlertRaised(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="alert_raised"):
    """Something the person should know; `marks` says what must not be told again (see `engine.alerts`)."""

    alert_id: str
    type: AlertType
    severity: Severity
    message: str
    at: datetime
    local_date: date
    seq: int
    category: str | None = None
    data: dict[str, Any] = {}
    marks: list[str] = []


Event = (
    UserOpened
    | ProfileUpdated
    | TransactionRecorded
    | TransactionEdited
    | TransactionRefunded
    | JarCreated
    | JarEdited
    | JarDeleted
    | JarDeposited
    | BudgetSet
    | BudgetDeleted
    | AlertRaised
)
