"""What happened to a group. Amounts in minor units of its currency; `postings` move money and sum to zero."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from engine.events.types import Posting
from engine.groups.commands import ExpireProposal, ProposalKind


class GroupOpened(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_opened"):
    """The group exists, with its first member."""

    at: datetime
    name: str
    currency: str
    member: str
    member_name: str | None = None
    target_amount: int | None = None
    deadline: date | None = None


class InviteMade(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="invite_made"):
    """A code lets others in until `expires_at`."""

    at: datetime
    secret: str
    by: str
    uses: int
    expires_at: datetime


class MemberJoined(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="member_joined"):
    """Somebody joined by an invite."""

    at: datetime
    member: str
    secret: str
    member_name: str | None = None


class MemberLeft(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="member_left"):
    """Somebody without a share is no member any more."""

    at: datetime
    member: str


class ShareCredited(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="share_credited"):
    """A contribution is part of a member's share."""

    at: datetime
    transfer_id: str
    member: str
    amount: int
    postings: list[Posting]


class PayoutBegun(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="payout_begun"):
    """A share is on its way back to its owner, who leaves with it when `leaving`."""

    at: datetime
    transfer_id: str
    member: str
    amount: int
    postings: list[Posting]
    leaving: bool = False


class PayoutEnded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="payout_ended"):
    """The owner has it; or, when `refused` says why not, it is the share it was before."""

    at: datetime
    transfer_id: str
    postings: list[Posting]
    refused: str | None = None


class ProposalMade(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="proposal_made"):
    """Members are asked, each for their part (`asked`)."""

    at: datetime
    proposal_id: str
    kind: ProposalKind
    by: str
    asked: dict[str, int]
    expires_at: datetime
    amount: int | None = None
    description: str | None = None


class ProposalAnswered(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="proposal_answered"
):
    """A member approved `amount`, or rejects (None)."""

    at: datetime
    proposal_id: str
    member: str
    amount: int | None = None


class ProposalClosed(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="proposal_closed"):
    """A proposal is over. A purchase that is `done` took `parts` from the members' shares by `postings`."""

    at: datetime
    proposal_id: str
    status: Literal["done", "rejected", "expired"]
    parts: dict[str, int] = {}
    postings: list[Posting] = []


class ExpirySet(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="expiry_set"):
    """A durable timer delivers `command` at `due`; without a command the timer is gone."""

    timer_id: str
    due: datetime
    command: ExpireProposal | None = None


GroupEvent = (
    GroupOpened
    | InviteMade
    | MemberJoined
    | MemberLeft
    | ShareCredited
    | PayoutBegun
    | PayoutEnded
    | ProposalMade
    | ProposalAnswered
    | ProposalClosed
    | ExpirySet
)
