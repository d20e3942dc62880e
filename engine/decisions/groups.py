"""Decides a user's part in groups, and what a group's letters tell."""

from engine import alerts, pledges
from engine.alerts import Draft
from engine.behaviour import Context, Decision, Facts
from engine.commands.groups import (
    AskJarContribution,
    ContributeFromJar,
    ContributeToGroup,
    HearFromGroup,
    NoteLeaving,
    NoteMembership,
    PostContribution,
    TakePayout,
    TakePurchase,
    VoidContribution,
)
from engine.decisions.answers import today_of
from engine.decisions.challenges import asked
from engine.decisions.handler import Decide
from engine.events.groups import GroupJoined, GroupLeft
from engine.group_book import MEMBERSHIPS_MAX
from engine.groups.commands import LeaveGroup
from engine.letters import GROUP_MARK, letter
from engine.money import show
from engine.state import UserState
from engine.views import Shown


def _contribute(
    state: UserState, command: ContributeToGroup | ContributeFromJar, _: Facts, context: Context
) -> Decision:
    return pledges.reserve(state, command, context)


def _ask(state: UserState, command: AskJarContribution, _: Facts, context: Context) -> Decision:
    pledges.check(state, command, command.jar_id, context.at)
    action = ContributeFromJar(
        group_id=command.group_id,
        group_name=command.group_name,
        currency=command.currency,
        amount=command.amount,
        jar_id=command.jar_id,
    )
    return asked(state, action, context)


def _post(state: UserState, command: PostContribution, _: Facts, context: Context) -> Decision:
    return pledges.post(state, command, context)


def _void(state: UserState, command: VoidContribution, _: Facts, context: Context) -> Decision:
    voided = pledges.void(state, command, context)
    if voided is None:
        return Decision([], Shown())
    event, pledge = voided
    told = Draft(
        type="group",
        severity="warning",
        message=f"{show(pledge.amount, pledge.currency)} for {pledge.group_name} came back: {command.reason}",
        data={"group_id": pledge.group_id, "topic": "contribution_refused", "amount": pledge.amount},
    )
    view = {"contribution_id": command.transfer_id, "group_id": pledge.group_id, "status": "voided"}
    return Decision([event, *alerts.raise_all(state.alerts, [told], context, today_of(state, context))], Shown(view))


def _joined(state: UserState, command: NoteMembership, _: Facts, context: Context) -> Decision:
    """Note a membership; beyond the limit the group hears that this member leaves."""
    known = state.groups.memberships
    if command.group_id not in known and len(known) >= MEMBERSHIPS_MAX:
        command_id = f"group:{command.group_id}:away:{context.seq}:{state.user_id}"
        away = letter(context.new_id(), GROUP_MARK + command.group_id, command_id, LeaveGroup(member=state.user_id))
        return Decision([], Shown(), [away])
    if command.group_id in known:
        return Decision([], Shown())
    event = GroupJoined(at=context.at, group_id=command.group_id, name=command.group_name)
    return Decision([event], Shown({"group_id": command.group_id, "name": command.group_name}))


def _left(state: UserState, command: NoteLeaving, _: Facts, context: Context) -> Decision:
    if command.group_id not in state.groups.memberships:
        return Decision([], Shown())
    return Decision([GroupLeft(at=context.at, group_id=command.group_id)], Shown({"group_id": command.group_id}))


def _payout(state: UserState, command: TakePayout, _: Facts, context: Context) -> Decision:
    return pledges.take_payout(state, command, context)


def _purchase(state: UserState, command: TakePurchase, _: Facts, context: Context) -> Decision:
    return pledges.take_purchase(state, command, context)


def _hear(state: UserState, command: HearFromGroup, _: Facts, context: Context) -> Decision:
    told = Draft(
        type="group",
        severity="warning" if command.topic == "asked" else "info",
        message=_words(command),
        data={
            "group_id": command.group_id,
            "topic": command.topic,
            "kind": command.kind,
            "proposal_id": command.proposal_id,
            "amount": command.amount,
            "part": command.part,
        },
    )
    raised = alerts.raise_all(state.alerts, [told], context, today_of(state, context))
    return Decision(list(raised), Shown({"proposal_id": command.proposal_id}))


def _words(heard: HearFromGroup) -> str:
    what = f"paying everybody's share of {heard.group_name} back"
    if heard.kind == "purchase" and heard.amount is not None:
        what = f"spending {show(heard.amount, heard.currency)} of {heard.group_name}"
        what += f" on {heard.description}" if heard.description else ""
    if heard.topic == "asked":
        part = f"; your part is {show(heard.part, heard.currency)}" if heard.part else ""
        return f"{heard.by} proposes {what}{part}. Nothing of yours is taken unless you approve."
    end = {"done": "was agreed and is done", "rejected": "was rejected", "expired": "was not agreed in time"}
    return f"{what[0].upper()}{what[1:]} {end[heard.topic]}."


DECIDE: dict[type, Decide] = {
    ContributeToGroup: _contribute,
    ContributeFromJar: _contribute,
    AskJarContribution: _ask,
    PostContribution: _post,
    VoidContribution: _void,
    NoteMembership: _joined,
    NoteLeaving: _left,
    TakePayout: _payout,
    TakePurchase: _purchase,
    HearFromGroup: _hear,
}
