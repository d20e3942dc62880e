"""The user aggregate: composes the features, in a fixed order, into one `decide` and one `evolve`.

Order of reactions to an event: ledger, jars, spending, budgets, streaks, alerts. To add a feature, add its file and
a line in `_DECIDE` or `_EVOLVE`.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
from msgspec import UNSET

from engine import alerts, budgets, jars, profile, queries, refunds, streaks, transactions
from engine.behaviour import Context, Decision, Facts, Refused
from engine.commands import (
    Command,
    CreateJar,
    DeleteBudget,
    DeleteJar,
    DepositToJar,
    EditJar,
    EditTransaction,
    OpenUser,
    RecordTransaction,
    SetBudget,
    UpdateProfile,
)
from engine.events import (
    AlertRaised,
    BudgetDeleted,
    BudgetSet,
    Event,
    JarCreated,
    JarDeleted,
    JarDeposited,
    JarEdited,
    JarShare,
    ProfileUpdated,
    TransactionEdited,
    TransactionRecorded,
    TransactionRefunded,
    UserOpened,
)
from engine.spending import OVERALL
from engine.state import USER_STREAK, UserState
from engine.streaks import Streak, replanned
from engine.views import DepositView, Shown


def _today(state: UserState, context: Context) -> date:
    return state.profile.today(context.at)


def _open(state: UserState, command: OpenUser, context: Context) -> Decision:
    if state.is_open:
        raise Refused("conflict", "the user is open already")
    return Decision([profile.open_user(command, context)], Shown())


def _update_profile(state: UserState, command: UpdateProfile, context: Context) -> Decision:
    has_limits = bool(state.budgets) or any(j.target_amount or (j.plan and j.plan.amount) for j in state.jars.values())
    events: list[Any] = [
        profile.update(state.profile, command, context, has_postings=not state.ledger.is_empty, has_limits=has_limits)
    ]
    if command.monthly_budget is not UNSET:
        existing = state.budgets.get(budgets.key(OVERALL, "monthly"))
        if command.monthly_budget is not None:
            starts_on = existing.starts_on if existing else None
            limit = SetBudget(category=OVERALL, limit=command.monthly_budget, starts_on=starts_on)
            events.append(budgets.set_limit(state.budgets, state.spending, limit, context, _today(state, context)))
        elif existing is not None:
            events += budgets.delete(state.budgets, DeleteBudget(category=OVERALL, period="monthly"), context)
    return _shown(state, events, lambda after: queries.profile(after, _today(after, context)))


def _record(state: UserState, command: RecordTransaction, facts: Facts, context: Context) -> Decision:
    if command.kind == "refund":
        return refunds.record(state, command, facts, context)
    if state.parked.waiting:
        return refunds.record_purchase(state, command, context, evolve)
    return transactions.record(state, command, context)


def _edit(state: UserState, command: EditTransaction, facts: Facts, context: Context) -> Decision:
    decide = transactions.edit if command.refund_of is UNSET else refunds.link
    return decide(state, command, facts, context)


def _create_jar(state: UserState, command: CreateJar, context: Context) -> Decision:
    event = jars.create(state.jars, command, context, _today(state, context))
    return _shown(state, [event], lambda after: queries.jar(after, after.jars[event.jar_id]))


def _edit_jar(state: UserState, command: EditJar, context: Context) -> Decision:
    event = jars.edit(state.jars, command, context, _today(state, context))
    return _shown(state, [event], lambda after: queries.jar(after, after.jars[event.jar_id]))


def _delete_jar(state: UserState, command: DeleteJar, context: Context) -> Decision:
    event = jars.delete(state.jars, state.ledger, command, context, state.profile.currency)
    return Decision([event], Shown({"jar_id": event.jar_id, "move_to": event.move_to}))


def _deposit(state: UserState, command: DepositToJar, context: Context) -> Decision:
    today = _today(state, context)
    event = jars.deposit(state.jars, command, context, today, state.profile.currency)
    share = JarShare(event.jar_id, event.amount)
    drafts = transactions.jar_alerts(state.jars[event.jar_id], share, state.profile.currency)
    drafts += streaks.after(state.streaks[USER_STREAK], today, today, event.amount)[1]
    raised = alerts.raise_all(state.alerts, drafts, context, today)
    return _shown(state, [event, *raised], lambda after: _deposited(after, event, raised))


def _deposited(after: UserState, event: JarDeposited, raised: list[AlertRaised]) -> DepositView:
    return DepositView(
        deposit_id=event.deposit_id,
        jar_id=event.jar_id,
        amount=event.amount,
        currency=after.profile.currency,
        at=event.at,
        jar=queries.jar(after, after.jars[event.jar_id]),
        alerts=[alerts.view(e) for e in raised],
    )


def _set_budget(state: UserState, command: SetBudget, context: Context) -> Decision:
    today = _today(state, context)
    event = budgets.set_limit(state.budgets, state.spending, command, context, today)
    name = budgets.key(event.category, event.period)
    return _shown(state, [event], lambda after: budgets.view(after.budgets[name], after.spending, today))


def _delete_budget(state: UserState, command: DeleteBudget, context: Context) -> Decision:
    return Decision(list(budgets.delete(state.budgets, command, context)), Shown({"category": command.category}))


def _shown(state: UserState, events: list[Any], view: Callable[[UserState], Any]) -> Decision:
    """Decide `events`, answering with a view of the state after them (a copy: deciding changes nothing)."""
    after = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=UserState)
    for event in events:
        evolve(after, event)
    return Decision(events, Shown(msgspec.to_builtins(view(after))))


_DECIDE: dict[type, Callable[[UserState, Any, Context], Decision]] = {
    OpenUser: _open,
    UpdateProfile: _update_profile,
    CreateJar: _create_jar,
    EditJar: _edit_jar,
    DeleteJar: _delete_jar,
    DepositToJar: _deposit,
    SetBudget: _set_budget,
    DeleteBudget: _delete_budget,
}


def _opened(state: UserState, event: UserOpened) -> None:
    profile.opened(state.profile, event)
    state.is_open = True
    state.default_jar_id = event.default_jar_id
    default = jars.Jar(jar_id=event.default_jar_id, name=jars.DEFAULT_NAME, created_at=event.at, is_default=True)
    state.jars[default.jar_id] = default
    state.jar_order = jars.order(state.jars.values())
    state.streaks[USER_STREAK] = Streak(plan=state.profile.plan)


def _profile_updated(state: UserState, event: ProfileUpdated) -> None:
    profile.updated(state.profile, event)
    state.streaks[USER_STREAK] = replanned(state.streaks[USER_STREAK], event.plan)


def _recorded(state: UserState, event: TransactionRecorded) -> None:
    state.ledger.post(event.postings)
    state.transactions += 1
    saved = event.round_up.base + event.round_up.boost
    if saved:
        state.saved_today.add(event.recorded_on, saved)
    if event.counts_as_spend:
        state.spending.add(event.local_date, event.category, event.amount)
        for budget in budgets.touched(state.budgets, event.category):
            budget.add(event.local_date, event.amount)
    if transactions.could_save(event.round_up):
        state.streaks[USER_STREAK].add(event.local_date, saved)
    for part in event.shares:
        _jar_saved(state, part.jar_id, part.amount, event.local_date)
    if event.kind == "refund":
        refunds.parked(state, event)


def _refunded(state: UserState, event: TransactionRefunded) -> None:
    """Give back what was spent; streaks and the daily cap stay as they are."""
    state.ledger.post(event.postings)
    if event.credit is not None:
        state.transactions += 1
    state.parked.release(event.transaction_id)
    if event.counts_as_spend and event.amount:
        state.spending.add(event.local_date, event.category, -event.amount)
        for budget in budgets.touched(state.budgets, event.category):
            budget.add(event.local_date, -event.amount)
    for part in event.shares:
        state.jars[part.jar_id].saved += part.amount
    state.alerts.rearm(event.rearmed, state.profile.today(event.at))


def _jar_saved(state: UserState, jar_id: str, amount: int, day: date) -> None:
    state.jars[jar_id].saved += amount
    own_plan = state.streaks.get(jar_id)
    if own_plan is not None:
        own_plan.add(day, amount)


def _edited(state: UserState, event: TransactionEdited) -> None:
    state.ledger.post(event.postings)
    waiting = state.parked.waiting.get(event.transaction_id)
    if waiting is not None:
        state.parked.replace(transactions.edited_view(waiting.credit, event))
    if not event.counts_as_spend or event.category == event.old_category:
        return
    _recategorised(state, event, event.local_date, event.amount)
    for part in event.refunds:
        _recategorised(state, event, part.local_date, -part.amount)


def _recategorised(state: UserState, event: TransactionEdited, day: date, amount: int) -> None:
    state.spending.add(day, event.old_category, -amount)
    state.spending.add(day, event.category, amount)
    for budget in state.budgets.values():
        if budget.category == event.old_category:
            budget.add(day, -amount)
        elif budget.category == event.category:
            budget.add(day, amount)


def _jar_created(state: UserState, event: JarCreated) -> None:
    state.jars[event.jar_id] = jars.created(event)
    _jar_described(state, event)


def _jar_edited(state: UserState, event: JarEdited) -> None:
    jars.edited(state.jars[event.jar_id], event)
    _jar_described(state, event)


def _jar_described(state: UserState, event: JarCreated | JarEdited) -> None:
    state.jar_order = jars.order(state.jars.values())
    if event.plan is None:
        state.streaks.pop(event.jar_id, None)
    else:
        known = state.streaks.get(event.jar_id) or Streak(plan=event.plan)
        state.streaks[event.jar_id] = replanned(known, event.plan)


def _jar_deleted(state: UserState, event: JarDeleted) -> None:
    state.ledger.post(event.postings)
    gone = state.jars.pop(event.jar_id)
    if event.move_to is not None:
        state.jars[event.move_to].saved += gone.saved
    state.streaks.pop(event.jar_id, None)
    state.jar_order = jars.order(state.jars.values())


def _jar_deposited(state: UserState, event: JarDeposited) -> None:
    state.ledger.post(event.postings)
    _jar_saved(state, event.jar_id, event.amount, event.local_date)
    state.streaks[USER_STREAK].add(event.local_date, event.amount)


def _budget_set(state: UserState, event: BudgetSet) -> None:
    budgets.was_set(state.budgets, state.spending, state.alerts, event)


def _budget_deleted(state: UserState, event: BudgetDeleted) -> None:
    state.budgets.pop(budgets.key(event.category, event.period))
    state.alerts.forget(budgets.marks_of(event.budget_id))


def _alert_raised(state: UserState, event: AlertRaised) -> None:
    state.alerts.raised(event)


_EVOLVE: dict[type, Callable[[UserState, Any], None]] = {
    UserOpened: _opened,
    ProfileUpdated: _profile_updated,
    TransactionRecorded: _recorded,
    TransactionEdited: _edited,
    TransactionRefunded: _refunded,
    JarCreated: _jar_created,
    JarEdited: _jar_edited,
    JarDeleted: _jar_deleted,
    JarDeposited: _jar_deposited,
    BudgetSet: _budget_set,
    BudgetDeleted: _budget_deleted,
    AlertRaised: _alert_raised,
}


def decide(state: UserState, command: Command, facts: Facts, context: Context) -> Decision:
    """Return the events of a command; `state` is left as it was. Raises `Refused`."""
    if not state.is_open and type(command) is not OpenUser:
        raise Refused("not_found", "there is no such user; open it first")
    if type(command) is RecordTransaction:
        decision = _record(state, command, facts, context)
    elif type(command) is EditTransaction:
        decision = _edit(state, command, facts, context)
    else:
        decision = _DECIDE[type(command)](state, command, context)
    postings = getattr(decision.events[0], "postings", None)
    if postings:
        if len(decision.events) > 1:
            postings = [posting for event in decision.events for posting in getattr(event, "postings", ())]
        state.ledger.check_room(postings)
    return decision


def evolve(state: UserState, event: Event) -> None:
    """Apply an event to the state, in place."""
    _EVOLVE[type(event)](state, event)
