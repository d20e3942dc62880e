"""The state of a group: members, invites, proposals, payouts on their way, and a ledger of its own.

Accounts: `pot` (what came in and did not leave), `member:<user id>` (a share: negative, as the pot belongs to its
members) and `out` (shares on their way back to their owners). So the shares together are always the balance.
"""

from datetime import date, datetime

from msgspec import Struct, field

from engine.groups.commands import ProposalKind
from engine.ledger import Ledger

POT = "pot"
OUT = "out"


def share_account(user_id: str) -> str:
    """Return the account of a member's share."""
    return f"member:{user_id}"


class Member(Struct):
    """A member; `name` is that of the day of joining."""

    name: str | None
    joined_at: datetime
    leaving: bool = False


class Invite(Struct):
    """A way in."""

    by: str
    uses_left: int
    expires_at: datetime


class Proposal(Struct, kw_only=True):
    """What members are asked. `approved` by member, in minor units; `asked` is each one's part when it was made."""

    proposal_id: str
    kind: ProposalKind
    by: str
    at: datetime
    expires_at: datetime
    amount: int | None = None
    description: str | None = None
    asked: dict[str, int] = field(default_factory=dict)
    approved: dict[str, int] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)
    status: str = "open"


class Payout(Struct):
    """A share on its way back."""

    member: str
    amount: int
    leaving: bool


class GroupState(Struct, kw_only=True):
    """What an activation holds and a snapshot keeps. Changed by `evolve` alone."""

    group_id: str
    is_open: bool = False
    name: str = ""
    currency: str = ""
    target_amount: int | None = None
    deadline: date | None = None
    created_at: datetime | None = None
    members: dict[str, Member] = field(default_factory=dict)
    invites: dict[str, Invite] = field(default_factory=dict)
    proposals: dict[str, Proposal] = field(default_factory=dict)
    closed: list[Proposal] = field(default_factory=list)
    payouts: dict[str, Payout] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    def share(self, user_id: str) -> int:
        """Return what belongs to a member and is not on its way out."""
        return -self.ledger.balance(share_account(user_id), self.currency)

    def shares(self) -> dict[str, int]:
        """Return the shares above zero."""
        return {user_id: share for user_id in self.members if (share := self.share(user_id))}

    @property
    def balance(self) -> int:
        """What is in the group: the shares together."""
        return self.ledger.balance(POT, self.currency) + self.ledger.balance(OUT, self.currency)
