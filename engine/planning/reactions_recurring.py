"""What schedules do when something happens: match payments, remind, flag what has not come; and their timers."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from engine import alerts
from engine.alerts import Draft
from engine.behaviour import Context
from engine.commands import CheckRecurring, RemindRecurring
from engine.events import (
    AlertRaised,
    Due,
    RecurringMatched,
    RecurringMissed,
    RecurringUnlinked,
    TimerCancelled,
    TimerSet,
    TransactionChanged,
    TransactionRecorded,
)
from engine.money import show
from engine.payments.life import DELETED, ENDED
from engine.periods import local_time
from engine.planning import recurring, recurring_match
from engine.planning.budget_alerts import day as said_day
from engine.planning.recurring import Occurrence, Recurring
from engine.state import UserState

HOUR = 9
"""Reminders and flags come at this hour where the person lives."""
_COMES = ("settled", "authorised", "pending")
_GONE = ENDED | {DELETED, "reversed"}


def after_turn(state: UserState, events: Sequence[Any], context: Context) -> Sequence[Any]:
    """Take payments for the dates they were expected on."""
    if not state.recurring:
        return ()
    added: list[Any] = []
    for event in events:
        if type(event) is TransactionRecorded and event.kind != "refund" and event.status in _COMES:
            added += _matched(state, event, context) if event.currency == state.profile.currency else ()
        elif type(event) is TransactionChanged and event.status in _GONE:
            added += _unmatched(state, event, context)
    return added


def _matched(state: UserState, event: TransactionRecorded, context: Context) -> list[Any]:
    found = recurring_match.find(state.recurring.values(), state.categories, event)
    if found is None:
        return []
    one, date_of = found
    planned = date_of is one.open
    due = recurring.following(one, context, state.profile.today(context.at)) if planned else None
    match = RecurringMatched(
        recurring_id=one.recurring_id,
        at=context.at,
        due_on=date_of.due_on,
        transaction_id=event.transaction_id,
        paid_on=event.local_date,
        amount=event.amount,
        expected=one.expected,
        planned=planned,
        next=due,
    )
    return [match, *(timers(state, one.recurring_id, one.remind_days_before, due, context.at) if planned else ())]


def _unmatched(state: UserState, event: TransactionChanged, context: Context) -> list[RecurringUnlinked]:
    """Return what opens the date of a payment that did not happen after all."""
    return [
        RecurringUnlinked(
            recurring_id=one.recurring_id, at=context.at, due_on=known.due_on, transaction_id=event.transaction_id
        )
        for one in state.recurring.values()
        for known in one.dates
        if known.transaction_id == event.transaction_id
    ]


def remind(state: UserState, command: RemindRecurring, context: Context) -> list[AlertRaised]:
    """Return the reminder of an open date; nothing when it has been met, moved or deleted."""
    one, waiting = _waiting(state, command)
    if one is None or waiting is None:
        return []
    today = state.profile.today(context.at)
    draft = Draft(
        type="recurring_due",
        severity="info",
        message=reminder(one, waiting, today, state.profile.currency),
        category=one.category,
        data={"recurring_id": one.recurring_id, "due_on": waiting.due_on.isoformat(), "amount": one.expected},
    )
    return alerts.raise_all(state.alerts, [draft], context, today)


def check(state: UserState, command: CheckRecurring, context: Context) -> list[Any]:
    """Return what follows when a date's grace is over; nothing when it has been met, moved or deleted."""
    one, waiting = _waiting(state, command)
    if one is None or waiting is None:
        return []
    today = state.profile.today(context.at)
    over = waiting.due_on + timedelta(days=waiting.window + 1)
    if today < over:
        # In the zone that counts now: a coming one's morning may be this very moment, and a timer fires once a moment.
        zone = state.profile.zone_at(context.at)
        return [_check_at(zone, one.recurring_id, waiting.due_on, over)]
    due = recurring.following(one, context, today)
    draft = Draft(
        type="recurring_missed",
        severity="warning",
        message=_missed(one, waiting, state.profile.currency),
        category=one.category,
        data={"recurring_id": one.recurring_id, "due_on": waiting.due_on.isoformat(), "amount": one.expected},
    )
    missed = RecurringMissed(recurring_id=one.recurring_id, at=context.at, due_on=waiting.due_on, next=due)
    told = alerts.raise_all(state.alerts, [draft], context, today)
    return [missed, *told, *timers(state, one.recurring_id, one.remind_days_before, due, context.at)]


def _waiting(state: UserState, command: RemindRecurring | CheckRecurring) -> tuple[Recurring | None, Occurrence | None]:
    one = state.recurring.get(command.recurring_id)
    waiting = one.open if one is not None else None
    return one, waiting if waiting is not None and waiting.due_on == command.due_on else None


def timers(
    state: UserState, recurring_id: str, remind_days_before: int | None, due: Due | None, at: datetime
) -> list[TimerSet | TimerCancelled]:
    """Return the timers of a schedule's open date, in place of those it had; a reminder whose time is past is none."""
    remind_id = f"recurring:{recurring_id}:remind"
    if due is None:
        return [TimerCancelled(timer_id=remind_id), TimerCancelled(timer_id=_check_id(recurring_id))]
    check_timer = _check_at(state.profile.time_zone, recurring_id, due.on, due.on + timedelta(days=due.window + 1))
    if remind_days_before is not None:
        when = local_time(due.on - timedelta(days=remind_days_before), HOUR, state.profile.time_zone)
        if when > at:
            command = RemindRecurring(recurring_id=recurring_id, due_on=due.on)
            return [TimerSet(timer_id=remind_id, due=when, command=command), check_timer]
    return [TimerCancelled(timer_id=remind_id), check_timer]


def _check_at(zone: str, recurring_id: str, due_on: date, day: date) -> TimerSet:
    when = local_time(day, HOUR, zone)
    command = CheckRecurring(recurring_id=recurring_id, due_on=due_on)
    return TimerSet(timer_id=_check_id(recurring_id), due=when, command=command)


def _check_id(recurring_id: str) -> str:
    return f"recurring:{recurring_id}:check"


def reminder(one: Recurring, waiting: Occurrence, today: date, currency: str) -> str:
    """Return what a reminder says."""
    days = (waiting.due_on - today).days
    when = {0: "today", 1: "tomorrow"}.get(days, f"on {said_day(waiting.due_on)}")
    verb = "is due" if one.direction == "debit" else "is expected"
    text = f"{one.name} {verb} {when}: {show(one.expected, currency)}."
    if one.before is None:
        return text
    return f"{text} Before it was {show(one.before, currency)}."


def _missed(one: Recurring, waiting: Occurrence, currency: str) -> str:
    amount = show(one.expected, currency)
    if one.direction == "debit":
        return f"{one.name} ({amount}) was due on {said_day(waiting.due_on)}, and no such payment was seen."
    return f"{one.name} ({amount}) was expected on {said_day(waiting.due_on)} and has not come."
