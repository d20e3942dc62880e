"""What each event does to the state of a user. To add a feature, add its file and a line in `_EVOLVE`."""

from collections.abc import Iterable

import msgspec

from engine.events import Event
from engine.evolution import (
    accounts,
    autopay,
    badges,
    budgets,
    categories,
    challenges,
    groups,
    jars,
    pairs,
    profile,
    recurring,
    saving_challenges,
    settlement,
    summaries,
    timers,
    transactions,
)
from engine.evolution.handler import Evolve
from engine.state import UserState

_EVOLVE: dict[type, Evolve] = {
    **profile.EVOLVE,
    **transactions.EVOLVE,
    **jars.EVOLVE,
    **saving_challenges.EVOLVE,
    **badges.EVOLVE,
    **groups.EVOLVE,
    **budgets.EVOLVE,
    **categories.EVOLVE,
    **recurring.EVOLVE,
    **summaries.EVOLVE,
    **timers.EVOLVE,
    **challenges.EVOLVE,
    **accounts.EVOLVE,
    **settlement.EVOLVE,
    **autopay.EVOLVE,
    **pairs.EVOLVE,
}


def evolve(state: UserState, event: Event) -> None:
    """Apply an event to the state, in place."""
    kind = type(event)
    _EVOLVE[kind](state, event)
    count = badges.COUNT.get(kind)
    if count is not None:
        count(state, event)


def after(state: UserState, events: Iterable[Event]) -> UserState:
    """Return a copy of the state with events applied: deciding changes nothing."""
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=UserState)
    for event in events:
        evolve(copy, event)
    return copy
