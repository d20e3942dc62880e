"""What events of groups do to the state of a user."""

from engine.events.groups import (
    GroupContributed,
    GroupJoined,
    GroupLeft,
    GroupPaidOut,
    GroupPledged,
    GroupPledgeVoided,
    GroupSpent,
)
from engine.evolution.handler import Evolve
from engine.group_book import Membership, Pledge
from engine.state import USER_STREAK, UserState


def _pledged(state: UserState, event: GroupPledged) -> None:
    state.ledger.post(event.postings)
    state.groups.pledges[event.transfer_id] = Pledge(
        group_id=event.group_id,
        group_name=event.group_name,
        amount=event.amount,
        currency=event.currency,
        local_date=event.local_date,
        jar_id=event.jar_id,
    )


def _contributed(state: UserState, event: GroupContributed) -> None:
    """From the wallet it is saving; from a jar it was saved before."""
    state.ledger.post(event.postings)
    del state.groups.pledges[event.transfer_id]
    if event.jar_id is None:
        state.streaks[USER_STREAK].add(event.local_date, event.amount)
    else:
        state.jars[event.jar_id].saved -= event.amount


def _voided(state: UserState, event: GroupPledgeVoided) -> None:
    state.ledger.post(event.postings)
    del state.groups.pledges[event.transfer_id]


def _joined(state: UserState, event: GroupJoined) -> None:
    state.groups.memberships[event.group_id] = Membership(event.name, event.at)


def _left(state: UserState, event: GroupLeft) -> None:
    state.groups.memberships.pop(event.group_id, None)


def _paid_out(state: UserState, event: GroupPaidOut) -> None:
    state.ledger.post(event.postings)
    state.jars[event.jar_id].saved += event.to_jar


def _spent(state: UserState, event: GroupSpent) -> None:
    state.ledger.post(event.postings)


EVOLVE: dict[type, Evolve] = {
    GroupPledged: _pledged,
    GroupContributed: _contributed,
    GroupPledgeVoided: _voided,
    GroupJoined: _joined,
    GroupLeft: _left,
    GroupPaidOut: _paid_out,
    GroupSpent: _spent,
}
