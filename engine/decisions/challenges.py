"""Decides what a code comes to: the action of its challenge, carried out as if it had been sent by itself."""

from collections.abc import Mapping
from typing import Any

from engine import challenges
from engine.behaviour import Context, Decision, Facts
from engine.commands import Command, Confirm
from engine.decisions.handler import Decide
from engine.events import ChallengeSpent
from engine.state import UserState
from engine.views import Shown


def asked(state: UserState, action: Command, context: Context) -> Decision:
    """Decide to ask for a second factor before an action."""
    issued = challenges.issue(state, action, context)
    return Decision(list(issued.events), Shown(issued.view), issued.outbox)


def _answer(decision: Decision) -> dict[str, Any]:
    """Return what an action is answered: commands that take a second factor answer with one object."""
    view = decision.result.view if type(decision.result) is Shown else None
    if not isinstance(view, dict):
        raise TypeError(f"an action behind a challenge answers with an object, not {decision.result!r}")
    return view


def confirming(decide: Mapping[type, Decide]) -> Decide:
    """Return who decides `Confirm`, over all other commands. An action that is refused leaves the challenge open."""

    def confirm(state: UserState, command: Confirm, facts: Facts, context: Context) -> Decision:
        found = challenges.confirm(state, command, context)
        if isinstance(found, challenges.Kept):
            return Decision([], Shown(found.answer))
        if isinstance(found, challenges.Wrong):
            return Decision([found.event], found.result)
        decision = decide[type(found.action)](state, found.action, facts, context)
        answer = _answer(decision)
        spent = ChallengeSpent(challenge_id=found.challenge_id, at=context.at, answer=answer)
        used = challenges.spent_notice(state, found)
        return Decision([*decision.events, spent], Shown(answer), [*decision.outbox, used])

    return confirm
