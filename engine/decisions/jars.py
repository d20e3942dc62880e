"""Decides commands on jars."""

from engine import alerts
from engine.behaviour import Context, Decision, Facts
from engine.commands import CheckGoal, CreateJar, DeleteJar, DepositToJar, EditJar, SetAllocation, TransferToJar
from engine.decisions.answers import shown, today_of
from engine.decisions.handler import Decide
from engine.events import AlertRaised, JarDeposited, JarShare, JarTransferred
from engine.jars import allocation, goals, jar_transfers, jars, locks, reads_jars
from engine.jars.views_jars import DepositView, TransferView
from engine.payments import transactions
from engine.rewards import streaks
from engine.settlement import sweeps
from engine.state import USER_STREAK, UserState
from engine.views import Shown


def _create_jar(state: UserState, command: CreateJar, _: Facts, context: Context) -> Decision:
    event = jars.create(state.jars, command, context, today_of(state, context))
    return shown(
        state,
        [event, *goals.timers(None, event, state.profile)],
        lambda after: reads_jars.jar(after, after.jars[event.jar_id], event.at),
    )


def _edit_jar(state: UserState, command: EditJar, _: Facts, context: Context) -> Decision:
    event = jars.edit(state.jars, command, context, today_of(state, context))
    timers = goals.timers(state.jars[event.jar_id], event, state.profile)
    return shown(state, [event, *timers], lambda after: reads_jars.jar(after, after.jars[event.jar_id], event.at))


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
    settled = sweeps.of_deposit(state, [event, *raised], context)
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


def _transfer(state: UserState, command: TransferToJar, _: Facts, context: Context) -> Decision:
    today, currency = today_of(state, context), state.profile.currency
    event = jar_transfers.decide(state.jars, state.ledger, command, context, today, currency)
    drafts = transactions.jar_alerts(state.jars[event.to_jar], JarShare(event.to_jar, event.amount), currency)
    raised = alerts.raise_all(state.alerts, drafts, context, today)
    return shown(state, [event, *raised], lambda after: _transferred(after, event, raised))


def _transferred(after: UserState, event: JarTransferred, raised: list[AlertRaised]) -> TransferView:
    return TransferView(
        transfer_id=event.transfer_id,
        jar_id=event.jar_id,
        to_jar=event.to_jar,
        amount=event.amount,
        currency=after.profile.currency,
        at=event.at,
        jar=reads_jars.jar(after, after.jars[event.jar_id], event.at),
        to=reads_jars.jar(after, after.jars[event.to_jar], event.at),
        alerts=[alerts.view(e) for e in raised],
    )


def _check_goal(state: UserState, command: CheckGoal, _: Facts, context: Context) -> Decision:
    jar = state.jars.get(command.jar_id)
    if jar is None:
        return Decision([], Shown())
    drafts, timers = goals.look(jar, state.profile, context.at)
    raised = alerts.raise_all(state.alerts, drafts, context, today_of(state, context))
    return Decision([*raised, *timers], Shown())


DECIDE: dict[type, Decide] = {
    CreateJar: _create_jar,
    EditJar: _edit_jar,
    DeleteJar: _delete_jar,
    DepositToJar: _deposit,
    SetAllocation: _set_allocation,
    TransferToJar: _transfer,
    CheckGoal: _check_goal,
}
