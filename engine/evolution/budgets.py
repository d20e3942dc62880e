"""What events of budgets and alerts do to the state."""

from engine.events import AlertRaised, BudgetDeleted, BudgetSet
from engine.evolution.handler import Evolve
from engine.jars import jars
from engine.planning import budgets
from engine.state import UserState

_MILESTONES = frozenset({"milestone", "jar_target_reached"})


def _budget_set(state: UserState, event: BudgetSet) -> None:
    budgets.was_set(state.budgets, state.spending, state.categories.members(event.category), state.alerts, event)


def _budget_deleted(state: UserState, event: BudgetDeleted) -> None:
    state.budgets.pop(budgets.key(event.category, event.period))
    state.alerts.forget(budgets.marks_of(event.budget_id))


def _alert_raised(state: UserState, event: AlertRaised) -> None:
    state.alerts.raised(event)
    jar = state.jars.get(event.data["jar_id"]) if event.type in _MILESTONES else None
    if jar is not None:
        jars.told(jar, event.data["percent"])


EVOLVE: dict[type, Evolve] = {BudgetSet: _budget_set, BudgetDeleted: _budget_deleted, AlertRaised: _alert_raised}
