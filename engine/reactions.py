"""What must follow any turn, whoever made it: each looks at the state before and the events, and adds to them.

A reaction costs nothing measurable when there is nothing to do: the purchase path runs through all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from engine.behaviour import Context
from engine.planning import reactions_recurring, summaries
from engine.rewards import reads_badges
from engine.settlement import sweeps
from engine.state import UserState

Reaction = Callable[[UserState, Sequence[Any], Context], Sequence[Any]]

REACTIONS: tuple[Reaction, ...] = (
    sweeps.after_turn,
    reactions_recurring.after_turn,
    summaries.after_turn,
    reads_badges.after_turn,
)


def react(state: UserState, events: list[Any], context: Context) -> list[Any]:
    """Return the events with what follows from them; later reactions see what earlier ones added."""
    for reaction in REACTIONS:
        added = reaction(state, events, context)
        if added:
            events = [*events, *added]
    return events
