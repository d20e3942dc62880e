"""Commands on two reports that belong together: the legs of a transfer, or one payment reported twice."""

from typing import Literal

from msgspec import Struct

JudgedBy = Literal["rule", "user"]


class MatchTransfer(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="match_transfer"):
    """A debit and a credit are one move between own accounts: neither is spent or earned."""

    transaction_id: str
    other_id: str
    by: JudgedBy = "user"


class RejectTransfer(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reject_transfer"):
    """A transaction is no leg of a transfer: a match is undone, a suggestion dropped, and both remembered."""

    transaction_id: str
    of: str | None = None
    """Set for the second leg of a match that was undone; from a timer."""


class MergeDuplicate(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="merge_duplicate"):
    """A transaction is another report of `other_id`: it counts no more."""

    transaction_id: str
    other_id: str
    by: JudgedBy = "user"


class RejectDuplicate(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reject_duplicate"):
    """A transaction is a payment of its own: a merge is undone, a suggestion dropped, and both remembered."""

    transaction_id: str
    of: str | None = None
    """Set for the payment it had been merged into; from a timer."""


class ApplyRate(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="apply_rate"):
    """Convert a payment that waits for its exchange rate, or ask again later. From a timer."""

    transaction_id: str
    tries: int = 1
