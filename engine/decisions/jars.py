"""Decides commands on jars."""

from engine import alerts, allocation, jars, locks, reads_jars, streaks, sweeps, transactions
from engine.behaviour import Context, Decision, Facts
from engine.commands import CreateJar, DeleteJar, DepositToJar, EditJar, SetAllocation
from engine.decisions.answers import shown, today_of
from engine.decisions.handler import Decide
from engine.events import AlertRaised, JarDeposited, JarShare
from engine.state import USER_STREAK, UserState
from engine.views import Shown
from engine.views_jars import DepositView


def _create_jar(state: UserState, command: CreateJar, _: Facts, context: Context) -> Decision:
    event = jars.create(state.jars, command, context, today_of(state, context))
    return shown(state, [event], lambda after: reads_jars.jar(after, after.jars[event.jar_id], event.at))


def _edit_jar(state: UserState, command: EditJar, _: Facts, context: Context) -> Decision:
    event = jars.edit(state.jars, command, context, today_of(state, context))
    return shown(state, [event], lambda after: reads_jars.jar(after, after.jars[event.jar_id], event.at))


def _delete_jar(state: UserState, command: DeleteJar, _: Facts, context: Context) -> Decision:
    if command.move_to is not None:
        locks.refuse_locked(jars.find(state.jars, command.jar_id), context.at)
    event = jars.delete(state.jars, state.ledger, command, context, state.profile.currency)
    return Decision([event], Shown({"jar_id": event.jar_id, "move_to": event.move_to}))


def _deposit(state: UserState, command: DepositToJar, _: Facts, context: Context) -> Decision:
    today = today_of(state, context)
    event = jars.deposit(state.jars, command, context, today, state.profile.currency)
    share = JarShare(event.jar_id, event.amount)
    drafts = transactions.jar_alerts(state.jars[event.jar_id], share, state.profile.currency)
    drafts += streaks.after(state.streaks[USER_STREAK], today, today, event.amount)[1]
    raised = alerts.raise_all(state.alerts, drafts, context, today)
    settled = sweeps.of_deposit(state, event, context)
    return shown(state, [event, *raised, *settled], lambda after: _deposited(after, event, raised))


def _deposited(after: UserState, event: JarDeposited, raised: list[AlertRaised]) -> DepositView:
    return DepositView(
        deposit_id=event.deposit_id,
        jar_id=event.jar_id,
        amount=event.amount,
        currency=after.profile.currency,
        at=event.at,
        jar=reads_jars.jar(after, after.jars[event.jar_id], event.at),
        alerts=[alerts.view(e) for e in raised],
    )


def _set_allocation(state: UserState, command: SetAllocation, _: Facts, context: Context) -> Decision:
    event = allocation.decide(state.jars, command, context.at)
    return shown(state, [event], lambda after: reads_jars.shares(after, today_of(state, context)))


DECIDE: dict[type, Decide] = {
    CreateJar: _create_jar,
    EditJar: _edit_jar,
    DeleteJar: _delete_jar,
    DepositToJar: _deposit,
    SetAllocation: _set_allocation,
}
