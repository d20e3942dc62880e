"""Commands on budgets."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.commands.types import Amount, BudgetPeriod, Rollover, Slug


class SetBudget(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="set_budget"):
    """Set the limit of a category, or of `overall`, for a period; at most one budget a (category, period)."""

    category: Slug
    limit: Amount
    period: BudgetPeriod = "monthly"
    starts_on: Annotated[int, Meta(ge=1, le=31)] | None = None
    """Day of month (29-31 clamp), or ISO weekday 1-7 of a weekly budget; None: the 1st, or Monday."""
    rollover: Rollover = "none"
    """What of a period goes into the next: nothing, what is left of it, or what it lacked too."""


class DeleteBudget(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delete_budget"):
    """Remove the budget of a category: of one period, or all of them."""

    category: Slug
    period: BudgetPeriod | None = None
