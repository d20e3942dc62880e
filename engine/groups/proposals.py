"""Decides what members do together: a purchase, or that all shares return. Each member gives what that one approved.

A purchase is made by the approval that completes its amount, a payout by that of the last member who has a share. To
propose is to approve one's own part.
"""

from datetime import timedelta
from typing import Literal

import msgspec

from engine.behaviour import Context, Decision, OutboxRow, Refused, invalid
from engine.commands.groups import HearFromGroup, TakePurchase
from engine.events.types import Posting
from engine.groups import transfers
from engine.groups.commands import Approve, ExpireProposal, Propose, Reject
from engine.groups.events import ExpirySet, GroupEvent, ProposalAnswered, ProposalClosed, ProposalMade
from engine.groups.membership import applied
from engine.groups.state import POT, GroupState, Proposal, share_account
from engine.groups.views import ProposalView, check_member, proposal
from engine.jars.allocation import split
from engine.ledger import transfer
from engine.letters import letter
from engine.views import Shown

PROPOSALS_MAX = 10
OPEN_FOR = timedelta(days=7)
Topic = Literal["asked", "done", "rejected", "expired"]


def propose(state: GroupState, command: Propose, context: Context) -> Decision:
    """Decide to ask the members, each for a part of the amount by their share."""
    check_member(state, command.member)
    if len(state.proposals) >= PROPOSALS_MAX:
        raise Refused("conflict", f"{PROPOSALS_MAX} proposals of the group are open; reject one, or let it expire")
    shares = _free_shares(state)
    event = ProposalMade(
        at=context.at,
        proposal_id=context.new_id(),
        kind=command.kind,
        by=command.member,
        asked=_asked(command, shares),
        expires_at=context.at + OPEN_FOR,
        amount=command.amount,
        description=command.description,
    )
    timer = ExpirySet(
        timer_id=f"proposal:{event.proposal_id}",
        due=event.expires_at,
        command=ExpireProposal(proposal_id=event.proposal_id),
    )
    events: list[GroupEvent] = [event, timer]
    own = event.asked.get(command.member)
    if own is not None:
        events.append(ProposalAnswered(at=context.at, proposal_id=event.proposal_id, member=command.member, amount=own))
    return _answered(state, events, event.proposal_id, context, asking=True)


def _asked(command: Propose, shares: dict[str, int]) -> dict[str, int]:
    balance = sum(shares.values())
    if command.kind == "payout":
        if command.amount is not None:
            raise invalid("amount", "a payout to all returns every share whole; leave it out")
        if not balance:
            raise Refused("conflict", "the group holds nothing to pay out", balance=0)
        return shares
    if command.amount is None:
        raise invalid("amount", "is required: what the purchase costs")
    if command.amount > balance:
        raise Refused("conflict", f"the group holds {balance}; {command.amount} is more", balance=balance)
    parts = split(command.amount, list(shares.values()))
    return {user_id: part for user_id, part in zip(shares, parts, strict=True) if part}


def _free_shares(state: GroupState) -> dict[str, int]:
    """Return the shares above zero, by user id in order: what a proposal may ask."""
    return dict(sorted(state.shares().items()))


def approve(state: GroupState, command: Approve, context: Context) -> Decision:
    """Decide on an approval; it is cut to what the purchase still lacks, so never more is taken than was approved."""
    known = _open(state, command.member, command.proposal_id, command.kind, context)
    share = state.share(command.member)
    if known.kind == "payout":
        if command.amount is not None:
            raise invalid("amount", "a payout to all returns the whole share; leave it out")
        amount = share
    else:
        amount = _part(state, known, command, share)
    event = ProposalAnswered(at=context.at, proposal_id=known.proposal_id, member=command.member, amount=amount)
    return _answered(state, [event], known.proposal_id, context)


def _part(state: GroupState, known: Proposal, command: Approve, share: int) -> int:
    asked = command.amount if command.amount is not None else known.asked.get(command.member)
    if asked is None:
        raise invalid("amount", "is required: the purchase was proposed before you had a share")
    if asked > share:
        raise Refused("conflict", f"the share is {share}; {asked} is more", share=share)
    others = sum(part for user_id, part in effective(state, known).items() if user_id != command.member)
    return min(asked, max(0, (known.amount or 0) - others))


def reject(state: GroupState, command: Reject, context: Context) -> Decision:
    """Decide on a rejection: nothing is taken from this member; what cannot succeed any more is closed."""
    known = _open(state, command.member, command.proposal_id, command.kind, context)
    event = ProposalAnswered(at=context.at, proposal_id=known.proposal_id, member=command.member)
    return _answered(state, [event], known.proposal_id, context)


def expire(state: GroupState, command: ExpireProposal, context: Context) -> Decision:
    """Decide the end of the time for approvals: nothing was taken, and nothing will be."""
    known = state.proposals.get(command.proposal_id)
    if known is None:
        return Decision([], Shown())
    return Decision(
        [ProposalClosed(at=context.at, proposal_id=known.proposal_id, status="expired")],
        Shown(),
        _tell(state, known, "expired", context),
    )


def _open(state: GroupState, member: str, proposal_id: str, kind: str, context: Context) -> Proposal:
    check_member(state, member)
    known = state.proposals.get(proposal_id)
    if known is not None and known.kind == kind:
        if context.at >= known.expires_at:
            raise Refused("gone", f"the time for approvals ended at {known.expires_at.isoformat()}")
        return known
    over = next((p for p in state.closed if p.proposal_id == proposal_id and p.kind == kind), None)
    if over is not None:
        raise Refused("gone", f"it is over already: {over.status}", state=over.status)
    raise Refused("not_found", f"there is no {kind} {proposal_id!r}")


def effective(state: GroupState, known: Proposal) -> dict[str, int]:
    """Return what was approved and is still there."""
    held = {user_id: min(amount, state.share(user_id)) for user_id, amount in known.approved.items()}
    return {user_id: amount for user_id, amount in held.items() if amount}


def _answered(
    state: GroupState, events: list[GroupEvent], proposal_id: str, context: Context, *, asking: bool = False
) -> Decision:
    """Decide what follows from a proposal's last answer."""
    after = applied(state, list(events))
    known = after.proposals[proposal_id]
    closing, sent = _conclusion(after, known, context)
    if asking and not closing:
        sent = _tell(after, known, "asked", context)
    events = [*events, *closing]
    shown: ProposalView = proposal(after, known)
    if closing:
        events.append(ExpirySet(timer_id=f"proposal:{proposal_id}", due=known.expires_at))
        ended = applied(after, list(closing))
        shown = proposal(ended, ended.closed[-1])
    return Decision(events, Shown(msgspec.to_builtins(shown)), sent)


def _conclusion(state: GroupState, known: Proposal, context: Context) -> tuple[list[GroupEvent], list[OutboxRow]]:
    """Return what makes the purchase or the payout when all it takes is approved, or closes it when that cannot be."""
    approved = effective(state, known)
    if known.kind == "purchase":
        amount = known.amount or 0
        willing = sum(share for user_id, share in state.shares().items() if user_id not in known.rejected)
        if sum(approved.values()) >= amount:
            return _bought(state, known, _cut(approved, amount), context)
        return ([], []) if willing >= amount else _closed(state, known, "rejected", context)
    owners = state.shares()
    if any(user_id in known.rejected for user_id in owners):
        return _closed(state, known, "rejected", context)
    if owners and all(user_id in known.approved for user_id in owners):
        return _paid_out(state, known, owners, context)
    return [], []


def _cut(approved: dict[str, int], amount: int) -> dict[str, int]:
    """Return what is taken: the approvals in their order, until the amount is reached."""
    taken = {}
    for user_id, part in approved.items():
        if amount:
            taken[user_id] = min(part, amount)
            amount -= taken[user_id]
    return taken


def _closed(
    state: GroupState, known: Proposal, status: Literal["rejected"], context: Context
) -> tuple[list[GroupEvent], list[OutboxRow]]:
    event = ProposalClosed(at=context.at, proposal_id=known.proposal_id, status=status)
    return [event], _tell(state, known, status, context)


def _bought(
    state: GroupState, known: Proposal, parts: dict[str, int], context: Context
) -> tuple[list[GroupEvent], list[OutboxRow]]:
    postings: list[Posting] = []
    sent = []
    for user_id, part in parts.items():
        postings += transfer(share_account(user_id), POT, part, state.currency)
        command = TakePurchase(
            purchase_id=known.proposal_id,
            group_id=state.group_id,
            group_name=state.name,
            amount=part,
            currency=state.currency,
            description=known.description,
        )
        sent.append(letter(context.new_id(), user_id, f"xfer:{known.proposal_id}:spend", command))
    event = ProposalClosed(at=context.at, proposal_id=known.proposal_id, status="done", parts=parts, postings=postings)
    return [event], [*sent, *_tell(state, known, "done", context)]


def _paid_out(
    state: GroupState, known: Proposal, owners: dict[str, int], context: Context
) -> tuple[list[GroupEvent], list[OutboxRow]]:
    events: list[GroupEvent] = []
    sent = []
    for user_id, share in owners.items():
        begun, out = transfers.begin(state, user_id, share, context)
        events.append(begun)
        sent.append(out)
    events.append(ProposalClosed(at=context.at, proposal_id=known.proposal_id, status="done", parts=owners))
    return events, [*sent, *_tell(state, known, "done", context)]


def _tell(state: GroupState, known: Proposal, topic: Topic, context: Context) -> list[OutboxRow]:
    """Return a letter to each member; who proposed is not asked."""
    return [
        letter(
            context.new_id(),
            user_id,
            f"group:{known.proposal_id}:{topic}",
            HearFromGroup(
                group_id=state.group_id,
                group_name=state.name,
                proposal_id=known.proposal_id,
                topic=topic,
                kind=known.kind,
                by=state.members[known.by].name or known.by if known.by in state.members else known.by,
                amount=known.amount,
                part=known.asked.get(user_id),
                currency=state.currency,
                description=known.description,
            ),
        )
        for user_id in state.members
        if topic != "asked" or user_id != known.by
    ]
