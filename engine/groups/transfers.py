"""Decides money between a group and its members: contributions that come in, shares that go back to their owners.

The steps of a transfer are commands with ids of its own: a retry of any of them is the same step. A side that has
reserved gives back only when the other side refuses, never because nothing was heard.
"""

from typing import Any

import msgspec

from engine.behaviour import Context, Decision, OutboxRow, Refused
from engine.commands.groups import NoteLeaving, PostContribution, TakePayout, VoidContribution
from engine.groups.commands import CreditShare, LeaveGroup, PayOutShare, SettlePayout
from engine.groups.events import MemberLeft, PayoutBegun, PayoutEnded, ShareCredited
from engine.groups.state import OUT, POT, GroupState, share_account
from engine.groups.views import LeftView, PayoutView, check_member
from engine.ledger import transfer
from engine.letters import letter
from engine.views import Shown


def credit(state: GroupState, command: CreditShare, context: Context) -> Decision:
    """Decide on a contribution: part of the member's share, or back to where it came from. Never refuses."""
    event = ShareCredited(
        at=context.at,
        transfer_id=command.transfer_id,
        member=command.member,
        amount=command.amount,
        postings=transfer(POT, share_account(command.member), command.amount, state.currency),
    )
    reason = _why_not(state, command, event)
    answer: Any = PostContribution(transfer_id=command.transfer_id)
    if reason is not None:
        answer = VoidContribution(transfer_id=command.transfer_id, reason=reason)
    step = "void" if reason else "post"
    back = letter(context.new_id(), command.member, f"xfer:{command.transfer_id}:{step}", answer)
    return Decision([] if reason else [event], Shown({"transfer_id": command.transfer_id, "refused": reason}), [back])


def _why_not(state: GroupState, command: CreditShare, event: ShareCredited) -> str | None:
    member = state.members.get(command.member)
    if member is None or member.leaving:
        return "you are not a member of the group any more"
    if command.currency != state.currency:
        return f"the group saves in {state.currency}"
    try:
        state.ledger.check_room(event.postings)
    except Refused as refused:
        return refused.detail
    return None


def pay_out(state: GroupState, command: PayOutShare, context: Context) -> Decision:
    """Decide to give a part of a share back; 409 with the share when it is less."""
    check_member(state, command.member)
    event, sent = begin(state, command.member, command.amount, context)
    view = PayoutView(
        payout_id=event.transfer_id, group_id=state.group_id, amount=event.amount, currency=state.currency
    )
    return Decision([event], Shown(msgspec.to_builtins(view)), [sent])


def leave(state: GroupState, command: LeaveGroup, context: Context) -> Decision:
    """Decide to leave: at once without a share, else when the share has arrived."""
    check_member(state, command.member)
    share = state.share(command.member)
    if not share:
        _check_not_on_its_way(state, command.member)
        view = LeftView(group_id=state.group_id, status="left", amount=0)
        left, note = gone(state, command.member, context)
        return Decision([left], Shown(msgspec.to_builtins(view)), [note])
    event, sent = begin(state, command.member, share, context, leaving=True)
    view = LeftView(group_id=state.group_id, status="leaving", amount=share)
    return Decision([event], Shown(msgspec.to_builtins(view)), [sent])


def begin(
    state: GroupState, member: str, amount: int, context: Context, *, leaving: bool = False
) -> tuple[PayoutBegun, OutboxRow]:
    """Reserve a payout and write to its owner. Raises `Refused` when the share is less, or another is on its way."""
    _check_not_on_its_way(state, member)
    share = state.share(member)
    if amount > share:
        raise Refused("conflict", f"the share is {share}; {amount} is more", share=share)
    transfer_id = context.new_id()
    event = PayoutBegun(
        at=context.at,
        transfer_id=transfer_id,
        member=member,
        amount=amount,
        postings=transfer(share_account(member), OUT, amount, state.currency),
        leaving=leaving,
    )
    command = TakePayout(
        transfer_id=transfer_id,
        group_id=state.group_id,
        group_name=state.name,
        amount=amount,
        currency=state.currency,
    )
    unknown = SettlePayout(transfer_id=transfer_id, refused="there is nobody to take it")
    return event, letter(context.new_id(), member, f"xfer:{transfer_id}:credit", command, unknown)


def _check_not_on_its_way(state: GroupState, member: str) -> None:
    if any(payout.member == member for payout in state.payouts.values()):
        raise Refused("conflict", f"a payout to {member} is on its way; try again when it has arrived")


def gone(state: GroupState, member: str, context: Context) -> tuple[MemberLeft, OutboxRow]:
    """Return what ends a membership."""
    note = letter(
        context.new_id(), member, f"group:{state.group_id}:left:{context.seq}", NoteLeaving(group_id=state.group_id)
    )
    return MemberLeft(at=context.at, member=member), note


def settle(state: GroupState, command: SettlePayout, context: Context) -> Decision:
    """Decide the end of a payout: gone with its owner's word, a share again when the owner cannot take it."""
    payout = state.payouts.get(command.transfer_id)
    if payout is None:
        return Decision([], Shown())
    into = POT if command.refused is None else share_account(payout.member)
    ended = PayoutEnded(
        at=context.at,
        transfer_id=command.transfer_id,
        postings=transfer(OUT, into, payout.amount, state.currency),
        refused=command.refused,
    )
    view = Shown({"payout_id": command.transfer_id, "refused": command.refused})
    if command.refused is not None or not payout.leaving:
        return Decision([ended], view)
    left, note = gone(state, payout.member, context)
    return Decision([ended, left], view, [note])
