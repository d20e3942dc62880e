"""What a group can be asked. `member` is who asks, put there by whoever checked the credential.

`CreditShare` and `SettlePayout` are letters from a member's actor: they are answered by a letter and never refused.
"""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.commands import Currency, Name, PositiveAmount, Text

INVITE_DAYS_MAX = 30
INVITE_USES_MAX = 50
InviteUses = Annotated[int, Meta(ge=1, le=INVITE_USES_MAX)]
InviteDays = Annotated[int, Meta(ge=1, le=INVITE_DAYS_MAX)]
ProposalKind = Literal["purchase", "payout"]


class OpenGroup(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="open_group"):
    """Make the group; who makes it is its first member, and no more than that."""

    name: Name
    currency: Currency
    member: str
    member_name: str | None = None
    target_amount: PositiveAmount | None = None
    deadline: date | None = None


class InviteToGroup(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="invite_to_group"):
    """Make a code that lets others in, `uses` times, for `days` days."""

    member: str
    uses: InviteUses = INVITE_USES_MAX
    days: InviteDays = 7


class JoinGroup(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="join_group"):
    """Become a member by the secret of an invite; `currency` is the home currency of who joins."""

    member: str
    secret: str
    currency: Currency
    member_name: str | None = None


class LeaveGroup(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="leave_group"):
    """Leave; the share is paid out first."""

    member: str


class PayOutShare(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="pay_out_share"):
    """Pay `amount` of the member's own share back to the member."""

    member: str
    amount: PositiveAmount


class Propose(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="propose"):
    """Propose a purchase of `amount` together, or that every share returns to its owner (`payout`, no amount)."""

    member: str
    kind: ProposalKind
    amount: PositiveAmount | None = None
    description: Text | None = None


class Approve(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="approve"):
    """Approve `amount` of one's share for a purchase (by default the part asked), or the return of one's share."""

    member: str
    proposal_id: str
    kind: ProposalKind
    amount: PositiveAmount | None = None


class Reject(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reject"):
    """Give nothing to a proposal; takes back an approval."""

    member: str
    proposal_id: str
    kind: ProposalKind


class ExpireProposal(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="expire_proposal"):
    """A timer: the time for approvals is over."""

    proposal_id: str


class CreditShare(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="credit_share"):
    """A member's actor has reserved `amount` for the group (minor units of `currency`)."""

    member: str
    transfer_id: str
    amount: PositiveAmount
    currency: Currency


class SettlePayout(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="settle_payout"):
    """A member's actor has taken a payout, or says why not."""

    transfer_id: str
    refused: str | None = None


GroupCommand = (
    OpenGroup
    | InviteToGroup
    | JoinGroup
    | LeaveGroup
    | PayOutShare
    | Propose
    | Approve
    | Reject
    | ExpireProposal
    | CreditShare
    | SettlePayout
)
