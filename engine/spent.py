"""What counts as spent: how every payment reaches the sums and the budgets of a person, and leaves them."""

from datetime import date

from engine import budgets
from engine.budgets import Budget, Standing
from engine.spending import OVERALL
from engine.state import UserState


def count(state: UserState, day: date, category: str, amount: int, provisional: int = 0) -> None:
    """Count `amount` on a local date, negative to take back; `provisional` is the part of it that may still change.

    An authorisation counts its amount as both; its settlement the difference of the amounts, and the held amount
    negative as `provisional`; a void both negative. Home currency, minor units. For `evolve`.
    """
    state.spending.add(day, category, amount, provisional)
    for budget in budgets_of(state, category):
        budget.add(day, amount)


def budgets_of(state: UserState, category: str) -> list[Budget]:
    """Return the budgets in which a spend of this category counts, each once."""
    return [b for b in state.budgets.values() if b.category == category or b.category == OVERALL]


def standings(state: UserState, category: str, day: date, amount: int) -> list[Standing]:
    """Return the budgets of a category as they stand after a spend, in the period of its local date."""
    return budgets.standings(budgets_of(state, category), day, amount) if state.budgets else []
