"""Commands on payments."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.commands.types import (
    Amount,
    Balance,
    Currency,
    Direction,
    ExternalId,
    Foreign,
    Kind,
    Location,
    Mcc,
    PositiveAmount,
    Provenance,
    ShortText,
    Slug,
    Source,
    Status,
    Text,
)


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
    """The account that paid or was paid: one of the user's, or the source's own name for it."""
    to_account_id: ShortText | None = None
    """The account that a debit arrives at, where it is the user's too: a transfer, the repayment of a card or loan."""
    balance_after: Balance | None = None
    method: ShortText | None = None
    counterparty: ShortText | None = None
    location: Location | ShortText | None = None
    metadata: Annotated[dict[ShortText, Text | Balance | bool | None], Meta(max_length=20)] = {}
    pending_external_id: ExternalId | None = None
    final: bool | None = None
    original_external_id: ExternalId | None = None


class RecordTransaction(TransactionFields, frozen=True, kw_only=True, omit_defaults=True, tag="record_transaction"):
    """Record one report of a payment. Who reports it (origin, provenance) comes from the credential."""

    origin: str = "user"
    provenance: Provenance = "self_reported"
    original: Foreign | None = None
    """Set by the engine when it converts foreign money; never by a sender."""


class ExpireAuthorisation(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="expire_authorisation"):
    """The time of an authorisation is over: what is still held is released. From a timer."""

    transaction_id: str


class ExpireRefund(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="expire_refund"):
    """A parked refund has waited long enough: it becomes other income. From a timer."""

    transaction_id: str


class UndoRefund(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="undo_refund"):
    """A refund was voided in a turn that could not see its purchase: give back to that what it gave. From a timer."""

    transaction_id: str
    original_id: str


class TransactionChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The user's word on a transaction; an absent field stays. A category moves budgets by postings."""

    category: Slug | UnsetType = UNSET
    description: Text | None | UnsetType = UNSET
    note: Text | None | UnsetType = UNSET
    amount: PositiveAmount | UnsetType = UNSET
    """Of an own entry alone, as is `occurred_at`."""
    occurred_at: datetime | UnsetType = UNSET
    refund_of: ExternalId | UnsetType = UNSET
    """The id of the purchase that this credit gave back; goes alone."""


class EditTransaction(TransactionChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_transaction"):
    """Change what a person may change of a transaction."""

    transaction_id: str
    by: Literal["user", "rule"] = "user"
    """`rule`: a refund whose purchase another source's report stands for; what it gives above that is other income."""


class DeleteTransaction(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delete_transaction"):
    """An own entry never was; its identity stays taken."""

    transaction_id: str


EXPIRIES = frozenset((ExpireAuthorisation, ExpireRefund, UndoRefund))
"""What must be carried out even when the books are full: a timer comes once, and what it ends would wait for ever."""
