"""Decides who is in a group: opening, inviting, joining. Every member may do the same; nobody owns the group."""

from base64 import b32encode
from datetime import timedelta
from hashlib import sha256

import msgspec

from engine.behaviour import Context, Decision, Refused, invalid
from engine.commands.groups import NoteMembership
from engine.groups.commands import InviteToGroup, JoinGroup, OpenGroup
from engine.groups.events import GroupOpened, InviteMade, MemberJoined
from engine.groups.evolve import evolve
from engine.groups.state import GroupState
from engine.groups.views import InviteView, check_member, group
from engine.letters import letter
from engine.views import Shown

MEMBERS_MAX = 50
INVITES_MAX = 20
SECRET_BYTES = 10


def code_of(group_id: str, secret: str) -> str:
    """Return an invite as a person passes it on: where to knock, and what opens."""
    return f"{group_id}-{secret}"


def split_code(code: str) -> tuple[str, str]:
    """Return the group id and the secret of a code; of what is none, an id no group has."""
    group_id, _, secret = code.strip().lower().partition("-")
    return group_id, secret


def open_group(state: GroupState, command: OpenGroup, context: Context) -> Decision:
    """Decide a new group with its first member."""
    if state.is_open:
        raise Refused("conflict", "the group is there already")
    if command.deadline is not None and command.deadline <= context.at.date():
        raise invalid("deadline", f"{command.deadline} is not in the future; today is {context.at.date()}")
    event = GroupOpened(
        at=context.at,
        name=command.name,
        currency=command.currency,
        member=command.member,
        member_name=command.member_name,
        target_amount=command.target_amount,
        deadline=command.deadline,
    )
    after = GroupState(group_id=state.group_id)
    evolve(after, event)
    note = letter(
        context.new_id(),
        command.member,
        f"group:{state.group_id}:joined:{context.seq}",
        NoteMembership(group_id=state.group_id, group_name=command.name),
    )
    return Decision([event], Shown(msgspec.to_builtins(group(after))), [note])


def invite(state: GroupState, command: InviteToGroup, context: Context) -> Decision:
    """Decide a code. It is random: what makes it is an id of which 62 bits are."""
    check_member(state, command.member)
    live = [secret for secret, known in state.invites.items() if known.expires_at > context.at]
    if len(live) >= INVITES_MAX:
        raise Refused("conflict", f"{INVITES_MAX} codes of this group are valid; pass one of them on")
    digest = sha256(f"{state.group_id}:{context.new_id()}".encode()).digest()
    event = InviteMade(
        at=context.at,
        secret=b32encode(digest[:SECRET_BYTES]).decode().lower(),
        by=command.member,
        uses=command.uses,
        expires_at=context.at + timedelta(days=command.days),
    )
    view = InviteView(code=code_of(state.group_id, event.secret), uses=event.uses, expires_at=event.expires_at)
    return Decision([event], Shown(msgspec.to_builtins(view)))


def join(state: GroupState, command: JoinGroup, context: Context) -> Decision:
    """Decide who comes in. An unknown code is a 404, one that has expired a 410; a member is let in again."""
    known = state.invites.get(command.secret)
    if known is None:
        raise Refused("not_found", "no group has this code; ask for a new one")
    if known.expires_at <= context.at:
        raise Refused("gone", f"the code was valid until {known.expires_at.isoformat()}; ask for a new one")
    note = letter(
        context.new_id(),
        command.member,
        f"group:{state.group_id}:joined:{context.seq}",
        NoteMembership(group_id=state.group_id, group_name=state.name),
    )
    if command.member in state.members:
        # Whoever carries the letter ahead does so under its id: so it never comes after that of a later leave.
        return Decision([], Shown(msgspec.to_builtins(group(state))), [note])
    if command.currency != state.currency:
        raise Refused("conflict", f"the group saves in {state.currency}; your home currency is {command.currency}")
    if len(state.members) >= MEMBERS_MAX:
        raise Refused("conflict", f"a group has at most {MEMBERS_MAX} members")
    event = MemberJoined(at=context.at, member=command.member, secret=command.secret, member_name=command.member_name)
    return Decision([event], Shown(msgspec.to_builtins(group(applied(state, [event])))), [note])


def applied(state: GroupState, events: list[object]) -> GroupState:
    """Return a copy of the state with events applied: deciding changes nothing."""
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=GroupState)
    for event in events:
        evolve(copy, event)  # type: ignore[arg-type]
    return copy
