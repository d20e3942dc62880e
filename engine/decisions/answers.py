"""Answers that show the state as it will be after the turn."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec

from engine.behaviour import Context, Decision
from engine.evolution import after
from engine.state import UserState
from engine.views import Shown


def today_of(state: UserState, context: Context) -> date:
    """Return the user's local date of the turn."""
    return state.profile.today(context.at)


def shown(state: UserState, events: list[Any], view: Callable[[UserState], Any]) -> Decision:
    """Decide `events`, answering with a view of the state after them."""
    return Decision(events, Shown(msgspec.to_builtins(view(after(state, events)))))
