"""Decides commands on budgets."""

from engine.behaviour import Context, Decision, Facts
from engine.commands import DeleteBudget, SetBudget
from engine.decisions.answers import shown, today_of
from engine.decisions.handler import Decide
from engine.planning import budgets, views_budgets
from engine.state import UserState
from engine.views import Shown


def _set_budget(state: UserState, command: SetBudget, _: Facts, context: Context) -> Decision:
    today = today_of(state, context)
    state.categories.check_open("category", command.category)
    slugs = state.categories.members(command.category)
    event = budgets.set_limit(state.budgets, state.spending, slugs, command, context, today)
    name = budgets.key(event.category, event.period)
    return shown(
        state,
        [event],
        lambda after: views_budgets.budget(after.budgets[name], after.spending, after.recurring, slugs, today),
    )


def _delete_budget(state: UserState, command: DeleteBudget, _: Facts, context: Context) -> Decision:
    return Decision(list(budgets.delete(state.budgets, command, context)), Shown({"category": command.category}))


DECIDE: dict[type, Decide] = {SetBudget: _set_budget, DeleteBudget: _delete_budget}
