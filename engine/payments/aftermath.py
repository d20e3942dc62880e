"""What follows when a turn changes what was spent and saved: budgets as they stand, and what is worth telling.

For the turns off the common path: events are applied to a copy of the state, and what is told is the difference.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct, structs

from engine import alerts
from engine.alerts import Draft
from engine.behaviour import Context
from engine.events import AlertRaised, JarShare, TransactionChanged, TransactionRecorded, TransactionRefunded
from engine.payments import transactions
from engine.planning import budget_alerts, budgets, spent
from engine.planning.budgets import BudgetLine, Standing
from engine.rewards import streaks
from engine.rewards.streaks import StreakView
from engine.state import USER_STREAK, UserState

Evolve = Callable[[UserState, Any], None]


class Aftermath(Struct, frozen=True):
    """The state after the events, the budgets they touched, what is told, and the streak."""

    state: UserState
    lines: list[BudgetLine]
    alerts: list[AlertRaised]
    streak: StreakView


def copied(state: UserState) -> UserState:
    """Return a copy of the state: deciding changes nothing."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=UserState)


def follow(before: UserState, events: list[Any], context: Context, evolve: Evolve) -> Aftermath:
    """Return what follows from events that were decided but are not applied yet."""
    after = copied(before)
    for event in events:
        evolve(after, event)
    today, currency = before.profile.today(context.at), before.profile.currency
    standing = standings(after, [move for event in events for move in _moves(event)])
    drafts = budget_alerts.of_spend(after, standing, today)
    drafts += budget_alerts.of_pace(after, standing, today, (today, 0))
    for jar_id, jar in after.jars.items():
        was = before.jars.get(jar_id)
        if was is not None and jar.saved > was.saved:
            drafts += transactions.jar_alerts(was, JarShare(jar_id, jar.saved - was.saved), currency)
    view, told = _streak(before, events, today)
    raised = alerts.raise_all(before.alerts, drafts + told, context, today)
    return Aftermath(after, budgets.lines(standing), raised, view)


def _moves(event: Any) -> list[tuple[str, date]]:
    if type(event) is TransactionRecorded or type(event) is TransactionRefunded:
        return [(event.category, event.local_date)] if event.counts_as_spend else []
    return [(part.category, part.local_date) for part in event.spent] if type(event) is TransactionChanged else []


def _streak(before: UserState, events: list[Any], today: date) -> tuple[StreakView, list[Draft]]:
    streak = before.streaks[USER_STREAK]
    for event in events:
        if type(event) is TransactionRecorded and transactions.could_save(event.round_up):
            return streaks.after(streak, today, event.local_date, event.round_up.amount)
        if type(event) is TransactionChanged and event.kept is not None:
            return streaks.after(streak, today, event.local_date, event.kept)
    return streak.at(today), []


def standings(state: UserState, moved: Iterable[tuple[str, date]]) -> list[Standing]:
    """Return the budgets of categories and dates as they stand, each period once."""
    found: dict[tuple[str, date], Standing] = {}
    for category, day in moved:
        for one in spent.standings(state, category, day, 0):
            found[one.budget.budget_id, one.start] = one
    return list(found.values())


def rearmed(state: UserState, event: TransactionChanged, evolve: Evolve, today: date) -> TransactionChanged:
    """Return the event with the thresholds that may tell again because less is spent."""
    if not state.budgets or all(part.amount >= 0 for part in event.spent):
        return event
    after = copied(state)
    evolve(after, event)
    standing = standings(after, [(part.category, part.local_date) for part in event.spent])
    return structs.replace(event, rearmed=budgets.marks_to_rearm(standing, state.alerts, today))
