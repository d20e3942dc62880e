"""Decides locks of jars, and emergency unlocks."""

from typing import Any

from engine import alerts
from engine.behaviour import Context, Decision, Facts
from engine.commands import AskUnlock, CancelUnlock, EndLock, LockJar, UnlockJar
from engine.decisions.answers import shown, today_of
from engine.decisions.challenges import asked
from engine.decisions.handler import Decide
from engine.events import JarUnlockCancelled
from engine.jars import jars, locks, reads_jars
from engine.state import UserState
from engine.views import Shown


def _lock(state: UserState, command: LockJar, _: Facts, context: Context) -> Decision:
    event = locks.lock(jars.find(state.jars, command.jar_id), command, state.profile, context.at)
    return _changed(state, event.jar_id, [event, locks.timer(event.jar_id, event.until)], context)


def _changed(state: UserState, jar_id: str, events: list[Any], context: Context) -> Decision:
    return shown(state, events, lambda after: reads_jars.jar(after, after.jars[jar_id], context.at))


def _ask_unlock(state: UserState, command: AskUnlock, _: Facts, context: Context) -> Decision:
    jar = jars.find(state.jars, command.jar_id)
    return asked(state, locks.unlock_wanted(jar, context.at), context)


def _unlock(state: UserState, command: UnlockJar, _: Facts, context: Context) -> Decision:
    jar = jars.find(state.jars, command.jar_id)
    event = locks.start_unlock(jar, command, context.at)
    draft = locks.unlocking(jar, event, state.profile.zone_at(context.at))
    raised = alerts.raise_all(state.alerts, [draft], context, today_of(state, context))
    return _changed(state, jar.jar_id, [event, locks.timer(jar.jar_id, event.opens_at), *raised], context)


def _cancel_unlock(state: UserState, command: CancelUnlock, _: Facts, context: Context) -> Decision:
    """Decide that a jar stays locked; without an unlock under way only the codes that were sent are over."""
    jar = jars.find(state.jars, command.jar_id)
    until = jar.locked_at(context.at)
    if until is None:
        return _changed(state, jar.jar_id, [], context)
    event = JarUnlockCancelled(jar_id=jar.jar_id, at=context.at)
    return _changed(state, jar.jar_id, [event, locks.timer(jar.jar_id, until)], context)


def _end_lock(state: UserState, command: EndLock, _: Facts, context: Context) -> Decision:
    jar = state.jars.get(command.jar_id)
    event = locks.end(jar, context.at)
    if jar is None or event is None:
        return Decision([], Shown())
    raised = alerts.raise_all(state.alerts, [locks.opened_alert(jar, event)], context, today_of(state, context))
    return Decision([event, *raised], Shown())


DECIDE: dict[type, Decide] = {
    LockJar: _lock,
    AskUnlock: _ask_unlock,
    UnlockJar: _unlock,
    CancelUnlock: _cancel_unlock,
    EndLock: _end_lock,
}
