"""Decides commands on saving challenges."""

from typing import Any

from engine import alerts
from engine.behaviour import Context, Decision, Facts, OutboxRow, Refused
from engine.commands.saving_challenges import JoinChallenge, LeaveChallenge, TickChallenge
from engine.decisions.answers import shown, today_of
from engine.decisions.handler import Decide
from engine.events.saving_challenges import SavingChallengeEnded, SavingChallengeScored
from engine.events.timers import TimerCancelled
from engine.rewards import leaderboards, saving_challenges
from engine.rewards.saving_book import SavingChallenge
from engine.state import UserState
from engine.views import Shown


def _join(state: UserState, command: JoinChallenge, _: Facts, context: Context) -> Decision:
    today = today_of(state, context)
    event = saving_challenges.join(state, command, context, today)
    fields = {name: getattr(event, name) for name in type(event).__struct_fields__ if name != "at"}
    score = saving_challenges.scored(SavingChallenge(**fields), 0, context)
    events: list[Any] = [event, saving_challenges.next_tick(state, event.challenge_id, context, today)]
    decision = shown(
        state,
        [*events, *([score] if score else [])],
        lambda after: saving_challenges.view(after, after.saving.running[event.challenge_id], today),
    )
    return Decision(decision.events, decision.result, _sent(score, context))


def _leave(state: UserState, command: LeaveChallenge, _: Facts, context: Context) -> Decision:
    one = state.saving.running.get(command.challenge_id)
    if one is None:
        raise Refused("not_found", f"there is no running challenge {command.challenge_id!r}")
    today = today_of(state, context)
    score = saving_challenges.scored(one, None, context)
    end = SavingChallengeEnded(
        challenge_id=one.challenge_id,
        at=context.at,
        outcome="left",
        progress=saving_challenges.progress(state, one, today),
    )
    cancelled = TimerCancelled(timer_id=saving_challenges.timer_id(one.challenge_id))
    events = [*([score] if score else []), end, cancelled]
    decision = shown(state, events, lambda after: saving_challenges.view(after, after.saving.ended[-1], today))
    return Decision(decision.events, decision.result, _sent(score, context))


def _tick(state: UserState, command: TickChallenge, _: Facts, context: Context) -> Decision:
    """Score what the day that ended came to; at the end, say how it ended. The score stays where it is shown."""
    one = state.saving.running.get(command.challenge_id)
    if one is None:
        return Decision([], Shown())
    today = today_of(state, context)
    reached = saving_challenges.progress(state, one, today)
    score = saving_challenges.scored(one, saving_challenges.confirmed(state, one, reached), context)
    events: list[Any] = [score] if score else []
    end = saving_challenges.ended(one, reached, context, today)
    if end is None:
        events.append(saving_challenges.next_tick(state, one.challenge_id, context, today))
    else:
        draft = saving_challenges.told(one, end, state.profile.currency)
        events += [end, *alerts.raise_all(state.alerts, [draft], context, today)]
    view = {"challenge_id": one.challenge_id, "kind": one.kind, "progress": reached, "target": one.target}
    return Decision(events, Shown(view), _sent(score, context))


def _sent(score: SavingChallengeScored | None, context: Context) -> list[OutboxRow]:
    return [leaderboards.message(context.new_id(), score)] if score else []


DECIDE: dict[type, Decide] = {JoinChallenge: _join, LeaveChallenge: _leave, TickChallenge: _tick}
