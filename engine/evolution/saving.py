"""Money that arrives in a jar."""

from datetime import date

from engine.state import UserState


def jar_saved(state: UserState, jar_id: str, amount: int, day: date) -> None:
    """Add to a jar, and to the streak of its own plan."""
    state.jars[jar_id].saved += amount
    own_plan = state.streaks.get(jar_id)
    if own_plan is not None:
        own_plan.add(day, amount)
