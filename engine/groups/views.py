"""What the wire shows of a group. Amounts in minor units of its currency."""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from engine.behaviour import Refused
from engine.groups.state import GroupState, Proposal
from engine.paging import page


class GetGroup(Struct, frozen=True, tag="group"):
    """A group, as one of its members sees it."""

    member: str


class GetProposals(Struct, frozen=True, omit_defaults=True, tag="proposals"):
    """The proposals of a kind, newest first: open ones and the last that are over."""

    member: str
    kind: str
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


GroupQuery = GetGroup | GetProposals


class MemberView(Struct, frozen=True, kw_only=True):
    """A member and the share that is theirs."""

    user_id: str
    name: str | None
    share: int
    joined_at: datetime
    leaving: bool


class ProposalView(Struct, frozen=True, kw_only=True):
    """A proposal: `asked`, `approved` by user id in minor units; `missing` is what no approval covers yet."""

    proposal_id: str
    kind: str
    status: str
    by: str
    at: datetime
    expires_at: datetime
    amount: int | None
    description: str | None
    currency: str
    asked: dict[str, int]
    approved: dict[str, int]
    rejected: list[str]
    missing: int | None


class GroupView(Struct, frozen=True, kw_only=True):
    """A group. `balance` is the sum of the shares; `progress` is 0-100, null without a target."""

    group_id: str
    name: str
    currency: str
    target_amount: int | None
    deadline: date | None
    created_at: datetime | None
    balance: int
    progress: int | None
    members: list[MemberView]
    proposals: list[ProposalView]


class ProposalList(Struct, frozen=True):
    """A page of proposals, newest first."""

    items: list[ProposalView]
    next_cursor: str | None = None


class InviteView(Struct, frozen=True, kw_only=True):
    """A code that lets others in."""

    code: str
    uses: int
    expires_at: datetime


class LeftView(Struct, frozen=True, kw_only=True):
    """What leaving comes to: `left` at once without a share, else `leaving` while `amount` is paid out."""

    group_id: str
    status: str
    amount: int


class PayoutView(Struct, frozen=True, kw_only=True):
    """A share on its way to its owner."""

    payout_id: str
    group_id: str
    amount: int
    currency: str
    status: str = "sent"


def check_member(state: GroupState, user_id: str) -> None:
    """Refuse, as if there were no such group, who is not a member."""
    if user_id not in state.members:
        raise Refused("not_found", f"there is no group {state.group_id!r}")


def answer(state: GroupState, query: GroupQuery) -> Struct:
    """Answer a query. Raises `Refused` (404) for anyone but members."""
    check_member(state, query.member)
    if isinstance(query, GetGroup):
        return group(state)
    known = [*state.closed, *state.proposals.values()]
    views = [proposal(state, p) for p in reversed(known) if p.kind == query.kind]
    return page(views, "proposal_id", query.limit, query.cursor)


def group(state: GroupState) -> GroupView:
    """Return a group as its members see it."""
    members = [
        MemberView(
            user_id=user_id,
            name=member.name,
            share=state.share(user_id),
            joined_at=member.joined_at,
            leaving=member.leaving,
        )
        for user_id, member in state.members.items()
    ]
    balance = state.balance
    return GroupView(
        group_id=state.group_id,
        name=state.name,
        currency=state.currency,
        target_amount=state.target_amount,
        deadline=state.deadline,
        created_at=state.created_at,
        balance=balance,
        progress=min(100, balance * 100 // state.target_amount) if state.target_amount else None,
        members=members,
        proposals=[proposal(state, p) for p in reversed(state.proposals.values())],
    )


def proposal(state: GroupState, one: Proposal) -> ProposalView:
    """Return a proposal."""
    return ProposalView(
        proposal_id=one.proposal_id,
        kind=one.kind,
        status=one.status,
        by=one.by,
        at=one.at,
        expires_at=one.expires_at,
        amount=one.amount,
        description=one.description,
        currency=state.currency,
        asked=one.asked,
        approved=one.approved,
        rejected=one.rejected,
        missing=None if one.amount is None else max(0, one.amount - sum(one.approved.values())),
    )
