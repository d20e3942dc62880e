"""What a user's actor knows of groups: memberships, and contributions on their way. The shares are in the ledger."""

from datetime import date, datetime

from msgspec import Struct, field

RESERVED, ACCRUED, SCHEDULED, SETTLED = "reserved", "accrued", "scheduled", "settled"
SHARE_STAGES = (ACCRUED, SCHEDULED, SETTLED)
MEMBERSHIPS_MAX = 50
PLEDGES_MAX = 20


def group_account(group_id: str, stage: str) -> str:
    """Return the account of a user's share by stage: `reserved` on its way in, then those of a jar."""
    return f"{holder_of(group_id)}:{stage}"


def holder_of(group_id: str) -> str:
    """Return what stands for a share in a group where a jar's id stands for a jar: in the parts of an instruction."""
    return f"group:{group_id}"


class Membership(Struct):
    """A group the user is in."""

    name: str
    joined_at: datetime


class Pledge(Struct, kw_only=True):
    """A contribution that is reserved until the group has answered; `jar_id` None: from the wallet."""

    group_id: str
    group_name: str
    amount: int
    currency: str
    local_date: date
    jar_id: str | None = None


class GroupBook(Struct):
    """Memberships by group id, pledges by transfer id."""

    memberships: dict[str, Membership] = field(default_factory=dict)
    pledges: dict[str, Pledge] = field(default_factory=dict)
