"""What the wire shows (api.md): answers built from events, results and the state. Amounts in minor units."""

from datetime import date, datetime
from typing import Any

from msgspec import Struct

from engine.alerts import AlertView
from engine.commands import Location
from engine.events import DatedAmount, JarShare, Suggestion
from engine.jars.views_jars import JarView, PlanView
from engine.planning.budgets import BudgetLine
from engine.planning.burn_rate import Projection
from engine.planning.views_budgets import BudgetView
from engine.rewards.streaks import StreakView


class MerchantView(Struct, frozen=True):
    """The merchant as the source wrote it, and its cleaned name."""

    raw: str | None
    name: str | None


class RoundUpView(Struct, frozen=True):
    """What a spend saved, or why it saved nothing."""

    state: str
    amount: int
    base: int
    boost: int
    reason: str | None
    unit: int = 0
    full_unit: bool = False


class OriginalView(Struct, frozen=True):
    """Amount and currency as the source reported them; the rate, and its date, when they were converted."""

    amount: int
    currency: str
    rate_date: date | None = None
    rate: str | None = None


class TakenBack(Struct, frozen=True):
    """What refunds did to one jar's part of a round-up: taken back, or `kept` in the jar by the user's policy."""

    jar_id: str
    amount: int
    kept: int = 0


class LifeView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a transaction went through before, or beside, its present status."""

    held: int | None = None
    """The authorised amount, kept after settlement."""
    authorised_at: datetime | None = None
    expires_at: datetime | None = None
    drawn: int = 0
    """What settled of the authorisation under other ids."""
    closed: bool = False
    """No more is expected: the sender said `final`, or it settled in full."""
    settles: str | None = None
    """The authorisation that this settlement drew on."""
    saved_most: int = 0
    """The most its round-up ever was, once it is less: what its streak has counted."""
    refund_excess: int = 0
    """What refunds gave beyond the purchase: other income, until an amendment makes room for it."""


NO_LIFE = LifeView()


class TransferView(Struct, frozen=True):
    """The other leg of a transfer between own accounts, who said so, and as what this leg was reported."""

    other_id: str
    by: str
    kind: str
    category: str
    confidence: float
    category_by: str


class DuplicateView(Struct, frozen=True):
    """The payment of which this is another report, the status it was reported with, and who said so."""

    of: str
    status: str
    by: str


class TransactionView(Struct, frozen=True, kw_only=True):
    """A transaction on the wire, and the sealed part of its row."""

    transaction_id: str
    external_id: str
    origin: str
    source: str
    method: str | None
    account_id: str | None
    status: str
    kind: str
    direction: str
    amount: int
    currency: str
    original: OriginalView
    merchant: MerchantView
    description: str | None
    category: str
    confidence: float
    category_by: str
    occurred_at: datetime
    local_date: date
    recorded_at: datetime
    refunded_amount: int
    round_up: RoundUpView
    note: str | None
    metadata: dict[str, Any]
    flags: list[str]
    revision: int
    provenance: str
    to_account_id: str | None = None
    mcc: str | None = None
    reference: str | None = None
    counterparty: str | None = None
    location: Location | str | None = None
    balance_after: int | None = None
    counts_as_spend: bool = False
    jar_postings: list[JarShare] = []
    """What its round-up put into jars, as it was recorded."""
    taken_back: list[TakenBack] = []
    refunds: list[DatedAmount] = []
    """What was given back of it, by the local date on which budgets got it."""
    refunded_original: int = 0
    """What was given back of a converted purchase, in the currency it was reported in."""
    refund_of: str | None = None
    """The purchase that this credit gave back."""
    life: LifeView | None = None
    transfer: TransferView | None = None
    duplicate: DuplicateView | None = None
    reports: list[str] = []
    """Other reports of this payment, which count nothing."""
    suggestions: list[Suggestion] = []
    """What it may belong to, until the user says."""


class Receipt(Struct, frozen=True, kw_only=True):
    """The answer to a recorded transaction."""

    transaction_id: str
    external_id: str
    user_id: str
    seq: int
    amount: int
    currency: str
    category: str
    confidence: float
    rounded_to: int
    saved_amount: int
    base_saved: int
    boost_saved: int
    skipped_reason: str | None
    jar_postings: list[JarShare]
    anomaly: None
    alerts: list[AlertView]
    effect: str
    reason: str | None
    budgets: list[BudgetLine]
    streak: StreakView | None
    transaction: TransactionView
    duplicate: bool


class AutoSavingView(Struct, frozen=True):
    """Whether spends are rounded up; `until` ends a pause."""

    state: str
    until: date | None


class RoundingView(Struct, frozen=True, kw_only=True):
    """Round-up settings in force, defaults filled in."""

    unit: int
    multiplier: int
    exact_multiple: str
    round_up_p2p: bool
    floor: int | None
    event_cap: int
    daily_cap: int
    presets: list[int]


class ProfileView(Struct, frozen=True, kw_only=True):
    """The profile on the wire."""

    user_id: str
    name: str | None
    phone: str | None
    currency: str
    time_zone: str
    rounding: RoundingView
    auto_saving: AutoSavingView
    refund_policy: str
    plan: PlanView
    monthly_budget: int | None
    notifications: dict[str, bool]
    sweep_threshold: int
    tenant_mode: str


class BurnRateView(Struct, frozen=True, kw_only=True):
    """Spend per day over the period so far, and where it will end."""

    category: str
    period: str
    period_start: date
    period_end: date
    currency: str
    spent: int
    per_day: int
    weighted_per_day: int
    projected: Projection
    days_elapsed: int
    days_left: int
    limit: int | None
    safe_per_day: int | None


class BurnRates(Struct, frozen=True, kw_only=True):
    """The overall burn rate of the month (that of the overall budget if there is one), and that of each budget."""

    currency: str
    spent: int
    per_day: int
    weighted_per_day: int
    projected: Projection
    days_left: int
    safe_per_day: int | None
    items: list[BurnRateView]


class Page(Struct, frozen=True):
    """A page of a list."""

    items: list[Any]
    next_cursor: str | None = None


class StreaksView(Struct, frozen=True, kw_only=True):
    """The person's streak, and those of jars with a plan."""

    unit: str
    current: int
    best: int
    freezes: int
    state: str
    next_deadline: date
    items: list[StreakView]


class Overview(Struct, frozen=True, kw_only=True):
    """Everything a first screen shows, from one read of the actor."""

    user_id: str
    seq: int
    at: datetime
    profile: ProfileView
    jars: list[JarView]
    total_saved: int
    budgets: list[BudgetView]
    burn_rate: BurnRates
    streak: StreakView
    alerts: list[AlertView]


class Refunded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="refunded", dict=True):
    """A refund after its turn: the credit, and the purchase it gave back; `linked` by the user's edit of the credit."""

    transaction: TransactionView
    original: TransactionView
    budgets: list[BudgetLine] = []
    streak: StreakView | None = None
    linked: bool = False


class Recorded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="recorded", dict=True):
    """What a receipt shows that its events do not hold; `refunds` are those that had waited for this purchase."""

    budgets: list[BudgetLine] = []
    streak: StreakView | None = None
    effect: str = "recorded"
    reason: str | None = None
    refunds: list[Refunded] = []
    also: list[TransactionView] = []
    """Other transactions that the turn changed."""


class Changed(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="changed", dict=True):
    """A known transaction after another report of it, or after its time ran out; `effect` as in a receipt."""

    transaction: TransactionView
    effect: str
    reason: str | None = None
    budgets: list[BudgetLine] = []
    streak: StreakView | None = None
    also: list[TransactionView] = []
    """Other transactions that the turn changed."""
    refunds: list[Refunded] = []
    """Those that gave back in this turn, as their own receipts tell it."""
    edited: bool = False
    """By the person, who is answered with the transaction."""


class Edited(Struct, frozen=True, tag="edited"):
    """A transaction after the user's edit; `also` are others that the turn changed."""

    transaction: TransactionView
    budgets: list[BudgetLine] = []
    also: list[TransactionView] = []


class Shown(Struct, frozen=True, tag="shown"):
    """The answer of any other command: a view, kept as it was first given."""

    view: dict[str, Any] | list[Any] | None = None


class Declined(Struct, frozen=True, tag="declined"):
    """A command that is refused although its turn changed something; `code` as in `engine.behaviour.Refused`."""

    code: str
    detail: str
    extra: dict[str, str | int | bool | None] = {}


Result = Recorded | Refunded | Changed | Edited | Shown | Declined
