"""Events of payments."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from engine.commands import Foreign, Location
from engine.events.types import Counted, DatedAmount, Hold, JarShare, Posting, Suggestion

SkipReason = Literal[
    "off",
    "paused",
    "floor",
    "cap",
    "historical",
    "not_eligible",
    "exact_multiple",
    "no_jar",
    "self_reported",
    "at_settlement",
    "not_settled",
    "released",
    "duplicate",
]


class RoundUp(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was saved on a spend, or why nothing was. `amount` = `base` + `boost` (the multiplier's part)."""

    state: Literal["skipped", "provisional", "accrued"]
    base: int = 0
    boost: int = 0
    reason: SkipReason | Literal["rate_pending"] | None = None
    unit: int = 0
    """The unit in force when it was decided, 0 when nothing is saved: another amount is rounded by it too."""
    full_unit: bool = False
    """Whether an exact multiple saved a whole unit when it was decided."""

    @property
    def amount(self) -> int:
        """Everything that was saved on the spend."""
        return self.base + self.boost


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
    to_account_id: str | None = None
    balance_after: int | None = None
    method: str | None = None
    counterparty: str | None = None
    location: Location | str | None = None
    metadata: dict[str, str | int | bool | None] = {}
    flags: list[str] = []
    pending_external_id: str | None = None
    original_external_id: str | None = None
    original: Foreign | None = None
    """What was reported, when it was converted into the home currency."""
    hold: Hold | None = None
    """What it holds while it is authorised."""
    settles: str | None = None
    """The authorisation it draws on."""
    suggestions: list[Suggestion] = []
    duplicate_of: str | None = None
    """The payment of which this is another source's report; then `status` is `duplicate`, and nothing counts."""
    reported_status: str | None = None
    """The status of such a report."""


class TransactionChanged(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="transaction_changed"
):
    """A known transaction was settled, amended, voided, let go or deleted; `postings` add, earlier ones stay."""

    transaction_id: str
    at: datetime
    on: date
    """Local date of `at`."""
    status: str
    currency: str
    amount: int | None = None
    postings: list[Posting] = []
    spent: list[Counted] = []
    shares: list[JarShare] = []
    """What jars received, or gave back (negative)."""
    saved: int = 0
    """What it adds to the round-ups of the local date, which the daily cap counts; negative: gives back."""
    local_date: date
    kept: int | None = None
    """What the streak gets on `local_date`; None: it is not touched."""
    hold: Hold | None = None
    """What it holds from now on; None: nothing."""
    rearmed: list[str] = []
    merchant: str | None = None
    account_id: str | None = None
    occurred_at: datetime | None = None
    moved: int = 0
    """What its account gained (negative: paid) beyond what earlier events said, in `currency`."""
    paid_currency: str | None = None
    moved_paid: int = 0
    """The same of a converted payment, in the currency that was paid: what an account in that currency gained."""
    balance_after: int | None = None
    """The balance of its account, if the report states it."""


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
    provisional: int = 0
    """How much of `amount` is held and not settled."""
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
    hold: Hold | None = None
    """What the purchase holds after it, when it is authorised and not settled."""
    saved: int = 0
    """What of today's round-ups it took back, negative: the daily cap counts net."""
    on: date | None = None
    credit: TransactionRecorded | None = None
    """The credit as it was reported; None for one that had been recorded before. Its postings are those above."""
