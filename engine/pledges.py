"""A user's side of group jars: reserve, then post what the group credited or give back what it refused.

Nothing is given back because nothing was heard: a pledge stays reserved until the group has answered. What a group
holds of a user stays in the user's ledger: `group:<id>:accrued` while the wallet only promised it, `group:<id>:settled`
once it moved. Rules: docs/domain.md, "Groups".
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.alerts import Draft
from engine.behaviour import Context, Decision, Refused
from engine.commands.groups import (
    ContributeFromJar,
    ContributeToGroup,
    GroupContribution,
    PostContribution,
    TakePayout,
    TakePurchase,
    VoidContribution,
)
from engine.events.groups import GroupContributed, GroupPaidOut, GroupPledged, GroupPledgeVoided, GroupSpent
from engine.events.types import Posting
from engine.group_book import (
    ACCRUED,
    PLEDGES_MAX,
    RESERVED,
    SCHEDULED,
    SETTLED,
    SHARE_STAGES,
    Pledge,
    group_account,
)
from engine.groups.commands import CreditShare, SettlePayout
from engine.jars.jars import find
from engine.jars.locks import refuse_locked
from engine.ledger import PROMISED, WALLET, jar_account, transfer
from engine.letters import GROUP_MARK, letter
from engine.money import show
from engine.paging import page
from engine.settlement.instructions import alert_of, sweep
from engine.state import UserState
from engine.views import Page, Shown

SPENT = "expense:group"


class ContributionView(Struct, frozen=True, kw_only=True):
    """A contribution: `reserved` until the group has credited it."""

    contribution_id: str
    group_id: str
    amount: int
    currency: str
    from_jar: str | None
    status: str = "reserved"


class GetGroups(Struct, frozen=True, omit_defaults=True, tag="groups"):
    """The groups of the user, the last joined first; `cursor` is the id of the last one seen."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class MembershipView(Struct, frozen=True, kw_only=True):
    """A group of the user: the share that is posted, and what is on its way into it."""

    group_id: str
    name: str
    share: int
    reserved: int
    currency: str


class MembershipList(Struct, frozen=True):
    """A page of the groups of a user, the last joined first."""

    items: list[MembershipView]
    next_cursor: str | None = None


def check(state: UserState, command: GroupContribution, jar_id: str | None, at: datetime) -> None:
    """Refuse what cannot be reserved now: another currency, too much on its way, a jar that is locked or has less."""
    currency = state.profile.currency
    if command.currency != currency:
        raise Refused("conflict", f"the group saves in {command.currency}; your home currency is {currency}")
    if len(state.groups.pledges) >= PLEDGES_MAX:
        raise Refused("conflict", f"{PLEDGES_MAX} contributions are on their way; try again when one has arrived")
    if jar_id is None:
        return
    jar = find(state.jars, jar_id)
    refuse_locked(jar, at)
    available = state.ledger.balance(jar_account(jar.jar_id, SETTLED), currency)
    if command.amount > available:
        raise Refused(
            "conflict", f"the jar has {available} that can be moved; {command.amount} is more", available=available
        )


def reserve(state: UserState, command: ContributeToGroup | ContributeFromJar, context: Context) -> Decision:
    """Decide a contribution: reserved here, and a letter to the group."""
    jar_id = command.jar_id if isinstance(command, ContributeFromJar) else None
    check(state, command, jar_id, context.at)
    group_id, amount, currency = command.group_id, command.amount, command.currency
    if jar_id is None:
        postings = transfer(group_account(group_id, RESERVED), PROMISED, amount, currency)
    else:
        postings = transfer(jar_account(jar_id, RESERVED), jar_account(jar_id, SETTLED), amount, currency)
    event = GroupPledged(
        transfer_id=context.new_id(),
        at=context.at,
        local_date=state.profile.today(context.at),
        group_id=group_id,
        group_name=command.group_name,
        amount=amount,
        currency=currency,
        postings=postings,
        jar_id=jar_id,
    )
    credit = CreditShare(member=state.user_id, transfer_id=event.transfer_id, amount=amount, currency=currency)
    sent = letter(context.new_id(), GROUP_MARK + group_id, f"xfer:{event.transfer_id}:credit", credit)
    view = {
        "contribution_id": event.transfer_id,
        "group_id": group_id,
        "amount": amount,
        "currency": currency,
        "from_jar": jar_id,
        "status": "reserved",
    }
    return Decision([event], Shown(view), [sent])


def post(state: UserState, command: PostContribution, context: Context) -> Decision:
    """Decide that a pledge has become a share. From the wallet it is settled at once, like a deposit by hand."""
    pledge = state.groups.pledges.get(command.transfer_id)
    if pledge is None:
        return Decision([], Shown())
    stage = ACCRUED if pledge.jar_id is None else SETTLED
    event = GroupContributed(
        transfer_id=command.transfer_id,
        at=context.at,
        local_date=pledge.local_date,
        group_id=pledge.group_id,
        amount=pledge.amount,
        postings=transfer(group_account(pledge.group_id, stage), _held(pledge), pledge.amount, pledge.currency),
        jar_id=pledge.jar_id,
    )
    follows: list[Any] = [] if pledge.jar_id or state.settlement.held else sweep(state, [event], context, "deposit")
    return Decision([event, *follows], Shown(_shown(command.transfer_id, pledge, "posted")))


def void(state: UserState, command: VoidContribution, context: Context) -> tuple[GroupPledgeVoided, Pledge] | None:
    """Return what gives a pledge back, None when there is none any more."""
    pledge = state.groups.pledges.get(command.transfer_id)
    if pledge is None:
        return None
    back = PROMISED if pledge.jar_id is None else jar_account(pledge.jar_id, SETTLED)
    event = GroupPledgeVoided(
        transfer_id=command.transfer_id,
        at=context.at,
        group_id=pledge.group_id,
        amount=pledge.amount,
        reason=command.reason,
        postings=transfer(back, _held(pledge), pledge.amount, pledge.currency),
        jar_id=pledge.jar_id,
    )
    return event, pledge


def _held(pledge: Pledge) -> str:
    if pledge.jar_id is None:
        return group_account(pledge.group_id, RESERVED)
    return jar_account(pledge.jar_id, RESERVED)


def _shown(transfer_id: str, pledge: Pledge, status: str) -> dict[str, str | int | None]:
    return {
        "contribution_id": transfer_id,
        "group_id": pledge.group_id,
        "amount": pledge.amount,
        "currency": pledge.currency,
        "from_jar": pledge.jar_id,
        "status": status,
    }


def take_payout(state: UserState, command: TakePayout, context: Context) -> Decision:
    """Decide on a share that comes back. What was promised is promised no more; what moved goes to the default jar.

    What the host is asked to debit just now is neither: then the share stays where it is.
    """
    held = state.ledger.balance(group_account(command.group_id, ACCRUED), command.currency)
    promised = min(command.amount, max(0, held))
    moved = command.amount - promised
    jar_id = state.default_jar_id
    event = GroupPaidOut(
        transfer_id=command.transfer_id,
        at=context.at,
        group_id=command.group_id,
        amount=command.amount,
        postings=[
            *transfer(PROMISED, group_account(command.group_id, ACCRUED), promised, command.currency),
            *transfer(jar_account(jar_id, SETTLED), group_account(command.group_id, SETTLED), moved, command.currency),
        ],
        jar_id=jar_id,
        to_jar=moved,
    )
    refused = _no_room(state, event.postings)
    settled = state.ledger.balance(group_account(command.group_id, SETTLED), command.currency)
    if moved > settled and state.ledger.balance(group_account(command.group_id, SCHEDULED), command.currency):
        refused = "a part of the share is just being debited; try again when it has settled"
    answer = SettlePayout(transfer_id=command.transfer_id, refused=refused)
    step = "post" if refused is None else "void"
    back = letter(context.new_id(), GROUP_MARK + command.group_id, f"xfer:{command.transfer_id}:{step}", answer)
    view = {
        "payout_id": command.transfer_id,
        "group_id": command.group_id,
        "group_name": command.group_name,
        "amount": command.amount,
        "currency": command.currency,
        "to_jar": moved,
        "jar_id": jar_id,
        "refused": refused,
    }
    events: list[Any] = [event]
    if refused is not None:
        words = f"{show(command.amount, command.currency)} of {command.group_name} did not come back: {refused}."
        data = {"group_id": command.group_id, "topic": "payout_refused", "amount": command.amount}
        events = alert_of(state, Draft("group", "warning", words, data=data), context)
    return Decision(events, Shown(view), [back])


def _no_room(state: UserState, postings: list[Posting]) -> str | None:
    try:
        state.ledger.check_room(postings)
    except Refused as refused:
        return refused.detail
    return None


def take_purchase(state: UserState, command: TakePurchase, context: Context) -> Decision:
    """Decide what a common purchase took: money that moved first; what was only promised, the wallet pays now.

    What the host is asked to debit just now counts as moved: `settled` is below zero until it is, or until the next
    sweep when the debit fails. The share as a whole never is.
    """
    held = state.ledger.balance(group_account(command.group_id, ACCRUED), command.currency)
    settled = state.ledger.balance(group_account(command.group_id, SETTLED), command.currency)
    promised = min(max(0, held), max(0, command.amount - max(0, settled)))
    moved = command.amount - promised
    event = GroupSpent(
        purchase_id=command.purchase_id,
        at=context.at,
        group_id=command.group_id,
        amount=command.amount,
        postings=[
            *transfer(SPENT, group_account(command.group_id, SETTLED), moved, command.currency),
            *transfer(PROMISED, group_account(command.group_id, ACCRUED), promised, command.currency),
            *transfer(SPENT, WALLET, promised, command.currency),
        ],
        description=command.description,
    )
    view = {
        "purchase_id": command.purchase_id,
        "group_id": command.group_id,
        "group_name": command.group_name,
        "amount": command.amount,
        "currency": command.currency,
        "description": command.description,
    }
    return Decision([event], Shown(view))


def memberships(state: UserState, query: GetGroups) -> Page:
    """Return the user's groups."""
    currency, balance = state.profile.currency, state.ledger.balance
    known = sorted(state.groups.memberships.items(), key=lambda item: (item[1].joined_at, item[0]), reverse=True)
    views = [
        MembershipView(
            group_id=group_id,
            name=membership.name,
            share=sum(balance(group_account(group_id, stage), currency) for stage in SHARE_STAGES),
            reserved=sum(p.amount for p in state.groups.pledges.values() if p.group_id == group_id),
            currency=currency,
        )
        for group_id, membership in known
    ]
    return page(views, "group_id", query.limit, query.cursor)
