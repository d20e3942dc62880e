"""What counts as spent: how every payment reaches the sums and the budgets of a person, and leaves them."""

from datetime import date

from engine.events import CategoryCreated, TransactionEdited
from engine.planning import budgets
from engine.planning.budgets import Budget, Standing
from engine.planning.spending import OVERALL
from engine.state import UserState


def count(state: UserState, day: date, category: str, amount: int, provisional: int = 0) -> None:
    """Count `amount` on a local date, negative to take back; `provisional` is the part of it that may still change.

    An authorisation counts its amount as both; its settlement the difference of the amounts, and the held amount
    negative as `provisional`; a void both negative. Home currency, minor units. For `evolve`.
    """
    state.spending.add(day, category, amount, provisional)
    for budget in budgets_of(state, category, day):
        budget.add(day, amount)


def budgets_of(state: UserState, category: str, day: date) -> list[Budget]:
    """Return the budgets in which a spend of this category counts, each once: its own, its parents', the total's."""
    if not state.budgets:
        return []
    counted = (*state.categories.lineage(category, day.toordinal()), OVERALL)
    return [budget for budget in state.budgets.values() if budget.category in counted]


def standings(state: UserState, category: str, day: date, amount: int) -> list[Standing]:
    """Return the budgets of a category as they stand after a spend, in the period of its local date."""
    return budgets.standings(budgets_of(state, category, day), day, amount)


def entered(state: UserState, event: TransactionEdited) -> list[Standing]:
    """Return the budgets in which a spend counts by its new category and did not by the old, as they stand then."""
    day = event.local_date
    before = {budget.budget_id for budget in budgets_of(state, event.old_category, day)}
    after: list[Standing] = []
    for budget in budgets_of(state, event.category, day):
        if budget.budget_id not in before:
            start, end = budget.bounds(day)
            given_back = sum(part.amount for part in event.refunds if start <= part.local_date < end)
            after += budgets.standings([budget], day, event.amount - given_back)
    return after


def adopt(state: UserState, event: CategoryCreated) -> None:
    """Count in a new category's ancestors what was spent on it before it had a parent, as far as days are kept."""
    for budget in _ancestors(state, event):
        for day, amount in _days(state, event):
            budget.add(day, amount)
    state.alerts.tell(event.told, event.local_date)


def passed_by_adopting(state: UserState, event: CategoryCreated) -> list[str]:
    """Return the marks of thresholds that `adopt` will pass in running periods."""
    marks = []
    today = event.local_date
    for budget in _ancestors(state, event):
        start, end = budget.bounds(today)
        amount = sum(amount for day, amount in _days(state, event) if start <= day < end)
        for one in budgets.standings([budget], today, amount):
            marks += [budgets.mark(budget.budget_id, start, t) for t in budgets.passed(one.spent, one.limit)]
    return [mark for mark in marks if not state.alerts.has_told(mark)]


def _ancestors(state: UserState, event: CategoryCreated) -> list[Budget]:
    if event.parent is None:
        return []
    line = state.categories.lineage(event.parent, date.max.toordinal())
    return [budget for budget in state.budgets.values() if budget.category in line]


def _days(state: UserState, event: CategoryCreated) -> list[tuple[date, int]]:
    days = state.spending.days.items()
    return [(date.fromordinal(day), sums[event.slug]) for day, sums in days if event.slug in sums]
