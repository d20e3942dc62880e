"""Group jars. The group's actor is asked as itself; money leaves and enters a person's books by that person's actor."""

import re
from base64 import b32encode
from collections.abc import Awaitable, Callable
from datetime import date
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from actors.messages import Envelope, Outcome
from actors.runtime import Unavailable
from engine.commands import Name, PositiveAmount, Text
from engine.commands.groups import AskJarContribution, ContributeFromJar, ContributeToGroup, NoteMembership
from engine.group_book import MEMBERSHIPS_MAX
from engine.groups.commands import (
    Approve,
    GroupCommand,
    InviteDays,
    InviteToGroup,
    InviteUses,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    PayOutShare,
    ProposalKind,
    Propose,
    Reject,
)
from engine.groups.membership import split_code
from engine.groups.views import (
    GetGroup,
    GetProposals,
    GroupView,
    InviteView,
    LeftView,
    PayoutView,
    ProposalList,
    ProposalView,
)
from engine.letters import GROUP_MARK, encoded
from engine.pledges import ContributionView, GetGroups, MembershipList
from engine.queries import GetProfile
from serve import envelopes
from serve.api import challenges
from serve.api.challenges import ChallengeView, Confirmation
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, Route, answered, route
from serve.problems import Trouble, of_outcome

ID_LENGTH = 16
_GROUP_ID = re.compile(f"[a-z2-7]{{{ID_LENGTH}}}")


class NewGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group; its currency is the home currency of who makes it. `target_amount` in minor units."""

    name: Name
    target_amount: PositiveAmount | None = None
    deadline: date | None = None


class NewInvite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a code lets somebody in, and for how many days."""

    uses: InviteUses = 50
    days: InviteDays = 7


class Code(Struct, frozen=True, forbid_unknown_fields=True):
    """A code as it was passed on."""

    code: Name


class Contribution(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`amount` in minor units; `from_jar` is the jar it comes from, else it comes from the wallet."""

    amount: PositiveAmount
    from_jar: str | None = None


class PayoutRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With an `amount`: that much of one's own share. Without: every share to its owner, if all approve."""

    amount: PositiveAmount | None = None


class NewPurchase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to buy together; `amount` in minor units."""

    amount: PositiveAmount
    description: Text | None = None


class Approval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of one's share: the part asked, unless said otherwise."""

    amount: PositiveAmount | None = None


class Profile(Struct, frozen=True):
    """What a group is told of a person."""

    name: str | None
    currency: str


def _person(call: Call) -> tuple[str, str]:
    tenant, _, user_id = call.entity_id.partition("/")
    return tenant, user_id


def _group(call: Call, group_id: str) -> str:
    """Return the entity of a group; what cannot be a group's id goes no further."""
    if not _GROUP_ID.fullmatch(group_id):
        raise Trouble(404, f"there is no group {group_id!r}", name="not-found")
    return f"{_person(call)[0]}/{GROUP_MARK}{group_id}"


async def _tell(call: Call, group_id: str, command: GroupCommand) -> Outcome:
    meta = envelopes.meta_of(call.caller, call.request_id)
    return await call.submit(Envelope(_group(call, group_id), call.command_id, encoded(command), meta))


async def ask_group(call: Call, group_id: str, query: GetGroup | GetProposals) -> Answer:
    """Answer a read from a group's actor; 404 for whoever is not a member."""
    meta = envelopes.meta_of(call.caller, call.request_id)
    return answered(await call.submit(Envelope(_group(call, group_id), None, msgspec.msgpack.encode(query), meta)))


async def _profile(call: Call, group_id: str) -> Profile:
    """Return who would be a member, or is; opens an unknown user. 409 when one more group would be too many."""
    mine = msgspec.json.decode((await call.ask(GetGroups(limit=MEMBERSHIPS_MAX))).body, type=MembershipList)
    if len(mine.items) >= MEMBERSHIPS_MAX and all(one.group_id != group_id for one in mine.items):
        raise Trouble(409, f"you are in {MEMBERSHIPS_MAX} groups; leave one first", name="conflict")
    return msgspec.json.decode((await call.ask(GetProfile())).body, type=Profile)


async def _note(call: Call, group_id: str, outcome: Outcome) -> None:
    """Carry the letter of a membership ahead: the person's next read knows it. The letter itself comes anyway."""
    if outcome.body is None:
        raise of_outcome(outcome)
    name = msgspec.json.decode(outcome.body, type=GroupView).name
    note = NoteMembership(group_id=group_id, group_name=name)
    meta = envelopes.meta_of(call.caller, call.request_id)
    command_id = f"group:{group_id}:joined:{outcome.seq}"
    try:
        await call.submit(Envelope(call.entity_id, command_id, encoded(note), meta))
    except Unavailable:
        return


async def create_group(call: Call) -> Answer:
    """Make a group, with oneself as its first member.

    Its id comes from the idempotency key: the same request made twice is one group.
    """
    body: NewGroup = call.body
    user_id = _person(call)[1]
    digest = sha256(f"{call.caller.name}\n{user_id}\n{call.key}".encode()).digest()
    group_id = b32encode(digest[:10]).decode().lower()
    profile = await _profile(call, group_id)
    command = OpenGroup(
        name=body.name,
        currency=profile.currency,
        member=user_id,
        member_name=profile.name,
        target_amount=body.target_amount,
        deadline=body.deadline,
    )
    outcome = await _tell(call, group_id, command)
    await _note(call, group_id, outcome)
    return answered(outcome, 201)


async def list_groups(call: Call) -> Answer:
    """List one's groups, the last joined first."""
    return await call.ask(GetGroups(limit=call.query.limit, cursor=call.query.cursor))


async def show_group(call: Call) -> Answer:
    """Read a group; 404 for whoever is not a member."""
    return await ask_group(call, call.path["group_id"], GetGroup(_person(call)[1]))


async def invite(call: Call) -> Answer:
    """Make a code that lets others in."""
    body: NewInvite = call.body
    command = InviteToGroup(member=_person(call)[1], uses=body.uses, days=body.days)
    return answered(await _tell(call, call.path["group_id"], command), 201)


async def join_group(call: Call) -> Answer:
    """Join by a code: 404 when no group has it, 410 when it has expired, 409 for another home currency."""
    group_id, secret = split_code(call.body.code)
    if not _GROUP_ID.fullmatch(group_id):
        raise Trouble(404, "no group has this code; ask for a new one", name="not-found")
    profile = await _profile(call, group_id)
    command = JoinGroup(member=_person(call)[1], secret=secret, currency=profile.currency, member_name=profile.name)
    outcome = await _tell(call, group_id, command)
    await _note(call, group_id, outcome)
    return answered(outcome)


async def leave_group(call: Call) -> Answer:
    """Leave; one's share is paid out first, then one is no member any more."""
    return answered(await _tell(call, call.path["group_id"], LeaveGroup(member=_person(call)[1])))


async def contribute(call: Call) -> Answer:
    """Put money into the group: from the wallet at once, from a jar once a code has confirmed it (202)."""
    body: Contribution = call.body
    group = msgspec.json.decode((await show_group(call)).body, type=GroupView)
    if body.from_jar is None:
        return await call.tell(
            ContributeToGroup(
                group_id=group.group_id, group_name=group.name, currency=group.currency, amount=body.amount
            ),
            201,
        )
    return await call.tell(
        AskJarContribution(
            group_id=group.group_id,
            group_name=group.name,
            currency=group.currency,
            amount=body.amount,
            jar_id=body.from_jar,
        ),
        202,
    )


async def confirm_contribution(call: Call) -> Answer:
    """Carry out a contribution from a jar."""
    return await challenges.confirm(call, ContributeFromJar, group_id=call.path["group_id"])


async def pay_out(call: Call) -> Answer:
    """Take a part of one's own share back; without an amount propose that every share returns to its owner (202)."""
    body, member = call.body, _person(call)[1]
    if body.amount is None:
        return answered(await _tell(call, call.path["group_id"], Propose(member=member, kind="payout")), 202)
    return answered(await _tell(call, call.path["group_id"], PayOutShare(member=member, amount=body.amount)), 201)


async def list_payouts(call: Call) -> Answer:
    """List the payouts to all that were proposed: what is open, and the last that are over; newest first."""
    return await _proposals(call, "payout")


async def approve_payout(call: Call) -> Answer:
    """Approve that every share returns; the last owner's approval carries it out."""
    return await _approve(call, "payout", None)


async def reject_payout(call: Call) -> Answer:
    """Reject a payout to all: it is over."""
    return await _reject(call, "payout")


async def purchase(call: Call) -> Answer:
    """Propose a purchase; it is made when the members have approved all of its amount."""
    body: NewPurchase = call.body
    command = Propose(member=_person(call)[1], kind="purchase", amount=body.amount, description=body.description)
    return answered(await _tell(call, call.path["group_id"], command), 201)


async def list_purchases(call: Call) -> Answer:
    """List the purchases that were proposed: what is open, and the last that are over; newest first."""
    return await _proposals(call, "purchase")


async def approve_purchase(call: Call) -> Answer:
    """Approve a part of a purchase; the approval that completes it makes it."""
    return await _approve(call, "purchase", call.body.amount)


async def reject_purchase(call: Call) -> Answer:
    """Give nothing to a purchase; an earlier approval is taken back."""
    return await _reject(call, "purchase")


async def _proposals(call: Call, kind: ProposalKind) -> Answer:
    wanted = GetProposals(_person(call)[1], kind, call.query.limit, call.query.cursor)
    return await ask_group(call, call.path["group_id"], wanted)


async def _approve(call: Call, kind: ProposalKind, amount: int | None) -> Answer:
    command = Approve(member=_person(call)[1], proposal_id=call.path["proposal_id"], kind=kind, amount=amount)
    return answered(await _tell(call, call.path["group_id"], command))


async def _reject(call: Call, kind: ProposalKind) -> Answer:
    command = Reject(member=_person(call)[1], proposal_id=call.path["proposal_id"], kind=kind)
    return answered(await _tell(call, call.path["group_id"], command))


_IS_OVER = (410, "It is over already")
_PURCHASES, _PAYOUTS = "/groups/{group_id}/purchases", "/groups/{group_id}/payouts"


def _on_proposals(line: str, handler: Callable[[Call], Awaitable[Answer]], **options: Any) -> Route:
    return route(line, handler, tag="groups", answer=ProposalView, also=(_IS_OVER,), **options)


ROUTES = [
    route("POST /groups", create_group, tag="groups", body=NewGroup, answer=GroupView, status=201),
    route("GET /groups", list_groups, tag="groups", query=PageQuery, answer=MembershipList),
    route("POST /groups/join", join_group, tag="groups", body=Code, answer=GroupView, also=((410, "It has expired"),)),
    route("GET /groups/{group_id}", show_group, tag="groups", answer=GroupView),
    route("POST /groups/{group_id}/invites", invite, tag="groups", body=NewInvite, answer=InviteView, status=201),
    route("POST /groups/{group_id}/leave", leave_group, tag="groups", answer=LeftView),
    route(
        "POST /groups/{group_id}/contributions",
        contribute,
        tag="groups",
        body=Contribution,
        answer=ContributionView,
        status=201,
        also=((202, "From a jar: a code was sent"), (429, "Too many codes were asked for")),
        also_answer=ChallengeView,
    ),
    route(
        "POST /groups/{group_id}/contributions/confirm",
        confirm_contribution,
        tag="groups",
        body=Confirmation,
        answer=ContributionView,
        also=challenges.REFUSALS,
    ),
    route(
        f"POST {_PAYOUTS}",
        pay_out,
        tag="groups",
        body=PayoutRequest,
        answer=PayoutView,
        status=201,
        also=((202, "Without an amount: the other owners are asked"),),
        also_answer=ProposalView,
    ),
    route(f"GET {_PAYOUTS}", list_payouts, tag="groups", query=PageQuery, answer=ProposalList),
    _on_proposals(f"POST {_PAYOUTS}/{{proposal_id}}/approve", approve_payout),
    _on_proposals(f"POST {_PAYOUTS}/{{proposal_id}}/reject", reject_payout),
    route(f"POST {_PURCHASES}", purchase, tag="groups", body=NewPurchase, answer=ProposalView, status=201),
    route(f"GET {_PURCHASES}", list_purchases, tag="groups", query=PageQuery, answer=ProposalList),
    _on_proposals(f"POST {_PURCHASES}/{{proposal_id}}/approve", approve_purchase, body=Approval),
    _on_proposals(f"POST {_PURCHASES}/{{proposal_id}}/reject", reject_purchase),
]
