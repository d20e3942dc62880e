"""What each event does to the state of a group."""

from collections.abc import Callable
from typing import Any

from engine.groups import events as ev
from engine.groups.events import GroupEvent
from engine.groups.state import GroupState, Invite, Member, Payout, Proposal

CLOSED_KEPT = 20


def _opened(state: GroupState, event: ev.GroupOpened) -> None:
    state.is_open = True
    state.name, state.currency = event.name, event.currency
    state.target_amount, state.deadline = event.target_amount, event.deadline
    state.created_at = event.at
    state.members[event.member] = Member(event.member_name, event.at)


def _invited(state: GroupState, event: ev.InviteMade) -> None:
    state.invites = {secret: known for secret, known in state.invites.items() if known.expires_at > event.at}
    state.invites[event.secret] = Invite(event.by, event.uses, event.expires_at)


def _joined(state: GroupState, event: ev.MemberJoined) -> None:
    state.members[event.member] = Member(event.member_name, event.at)
    invite = state.invites[event.secret]
    invite.uses_left -= 1
    if not invite.uses_left:
        del state.invites[event.secret]


def _left(state: GroupState, event: ev.MemberLeft) -> None:
    del state.members[event.member]
    for proposal in state.proposals.values():
        proposal.approved.pop(event.member, None)
        if event.member in proposal.rejected:
            proposal.rejected.remove(event.member)


def _credited(state: GroupState, event: ev.ShareCredited) -> None:
    state.ledger.post(event.postings)


def _payout_begun(state: GroupState, event: ev.PayoutBegun) -> None:
    state.ledger.post(event.postings)
    state.payouts[event.transfer_id] = Payout(event.member, event.amount, event.leaving)
    state.members[event.member].leaving |= event.leaving


def _payout_ended(state: GroupState, event: ev.PayoutEnded) -> None:
    state.ledger.post(event.postings)
    payout = state.payouts.pop(event.transfer_id)
    if event.refused is not None:
        state.members[payout.member].leaving = False


def _proposed(state: GroupState, event: ev.ProposalMade) -> None:
    state.proposals[event.proposal_id] = Proposal(
        proposal_id=event.proposal_id,
        kind=event.kind,
        by=event.by,
        at=event.at,
        expires_at=event.expires_at,
        amount=event.amount,
        description=event.description,
        asked=dict(event.asked),
    )


def _answered(state: GroupState, event: ev.ProposalAnswered) -> None:
    proposal = state.proposals[event.proposal_id]
    proposal.approved.pop(event.member, None)
    if event.amount is None:
        if event.member not in proposal.rejected:
            proposal.rejected.append(event.member)
        return
    if event.member in proposal.rejected:
        proposal.rejected.remove(event.member)
    proposal.approved[event.member] = event.amount


def _closed(state: GroupState, event: ev.ProposalClosed) -> None:
    state.ledger.post(event.postings)
    proposal = state.proposals.pop(event.proposal_id)
    proposal.status = event.status
    if event.parts:
        proposal.approved = dict(event.parts)
    state.closed = [*state.closed[-(CLOSED_KEPT - 1) :], proposal]


def _nothing(state: GroupState, event: ev.ExpirySet) -> None:
    """Timers are rows beside the journal."""


_EVOLVE: dict[type, Callable[[GroupState, Any], None]] = {
    ev.GroupOpened: _opened,
    ev.InviteMade: _invited,
    ev.MemberJoined: _joined,
    ev.MemberLeft: _left,
    ev.ShareCredited: _credited,
    ev.PayoutBegun: _payout_begun,
    ev.PayoutEnded: _payout_ended,
    ev.ProposalMade: _proposed,
    ev.ProposalAnswered: _answered,
    ev.ProposalClosed: _closed,
    ev.ExpirySet: _nothing,
}


def evolve(state: GroupState, event: GroupEvent) -> None:
    """Apply an event to the state, in place."""
    _EVOLVE[type(event)](state, event)
