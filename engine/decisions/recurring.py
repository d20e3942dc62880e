"""Decides commands on schedules, those of their timers included."""

from engine.behaviour import Context, Decision, Facts
from engine.commands import (
    CheckRecurring,
    CreateRecurring,
    DeleteRecurring,
    EditRecurring,
    RemindRecurring,
    UnlinkRecurring,
)
from engine.decisions.answers import shown, today_of
from engine.decisions.handler import Decide
from engine.events import Due, RecurringDeleted, RecurringMissed
from engine.planning import reactions_recurring, recurring, views_recurring
from engine.planning.reactions_recurring import timers
from engine.state import UserState
from engine.views import Shown


def _create(state: UserState, command: CreateRecurring, _: Facts, context: Context) -> Decision:
    state.categories.check_open("category", command.category)
    event = recurring.create(state.recurring, command, context, today_of(state, context))
    set_ = timers(state, event.recurring_id, event.remind_days_before, event.next, context.at)
    return shown(state, [event, *set_], lambda after: _view(after, event.recurring_id))


def _edit(state: UserState, command: EditRecurring, _: Facts, context: Context) -> Decision:
    event = recurring.edit(state.recurring, command, context, today_of(state, context))
    if event.category != state.recurring[event.recurring_id].category:
        state.categories.check_open("category", event.category)
    due = event.next
    waiting = state.recurring[event.recurring_id].open
    if not event.planned and waiting is not None:
        due = Due(waiting.due_on, waiting.window)
    set_ = timers(state, event.recurring_id, event.remind_days_before, due, context.at)
    return shown(state, [event, *set_], lambda after: _view(after, event.recurring_id))


def _delete(state: UserState, command: DeleteRecurring, _: Facts, context: Context) -> Decision:
    one = recurring.find(state.recurring, command.recurring_id)
    event = RecurringDeleted(recurring_id=one.recurring_id, at=context.at)
    gone = timers(state, one.recurring_id, None, None, context.at)
    return Decision([event, *gone], Shown({"recurring_id": one.recurring_id}))


def _unlink(state: UserState, command: UnlinkRecurring, _: Facts, context: Context) -> Decision:
    event = recurring.unlink(state.recurring, command, context)
    return shown(state, [event], lambda after: _view(after, event.recurring_id))


def _remind(state: UserState, command: RemindRecurring, _: Facts, context: Context) -> Decision:
    return Decision(list(reactions_recurring.remind(state, command, context)), Shown())


def _check(state: UserState, command: CheckRecurring, _: Facts, context: Context) -> Decision:
    events = reactions_recurring.check(state, command, context)
    if not any(type(event) is RecurringMissed for event in events):
        return Decision(events, Shown())
    return shown(state, events, lambda after: _view(after, command.recurring_id))


def _view(state: UserState, recurring_id: str) -> views_recurring.RecurringView:
    return views_recurring.schedule(state.recurring[recurring_id], state.profile.currency)


DECIDE: dict[type, Decide] = {
    CreateRecurring: _create,
    EditRecurring: _edit,
    DeleteRecurring: _delete,
    UnlinkRecurring: _unlink,
    RemindRecurring: _remind,
    CheckRecurring: _check,
}
