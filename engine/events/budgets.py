"""Events of budgets."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct


class BudgetSet(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="budget_set"):
    """A budget has this limit from now on; `told` are the thresholds already passed, which stay silent."""

    budget_id: str
    at: datetime
    category: str
    period: Literal["weekly", "monthly"]
    limit: int
    starts_on: int
    period_start: date
    told: list[str] = []
    rollover: Literal["none", "surplus", "all"] = "none"
    brought: int | None = None
    """What is carried into the running period, where a new chain of periods begins with it; None: the old goes on."""


class BudgetDeleted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="budget_deleted"):
    """A budget is gone."""

    budget_id: str
    at: datetime
    category: str
    period: Literal["weekly", "monthly"]
