"""Budgets on the wire, each for the period that holds today. Amounts in minor units of the home currency."""

from datetime import date

from msgspec import Struct

from engine.planning.budgets import EXCEEDED, THRESHOLDS_PERCENT, Budget, passed, percent
from engine.planning.burn_rate import Projection, measure, safe_per_day
from engine.planning.recurring import Recurring, bills
from engine.planning.spending import Slugs, Spending


class ThresholdView(Struct, frozen=True):
    """A threshold and whether this period's spending has passed it."""

    at: int | str
    passed: bool


class BudgetView(Struct, frozen=True, kw_only=True):
    """A budget. `limit` = `base` (as it was set) + `carried` (from the periods before, negative after overspending).

    `provisional` is the part of `spent` that may still change. `percent` is rounded down; `left` = limit - spent.
    `bills_due` is what schedules still take in the period: `safe_per_day` = max(0, left - bills_due) / days left.
    """

    budget_id: str
    category: str
    period: str
    limit: int
    base: int
    carried: int
    starts_on: int
    period_start: date
    period_end: date
    spent: int
    provisional: int
    percent: int
    left: int
    bills_due: int
    safe_per_day: int
    projected: Projection
    thresholds: list[ThresholdView]
    rollover: str = "none"


def budget(one: Budget, spending: Spending, schedules: dict[str, Recurring], slugs: Slugs, today: date) -> BudgetView:
    """Return a budget of these categories for the period that holds `today`."""
    start, end = one.bounds(today)
    spent = one.spent_in(start)
    base, carried = one.terms(start)
    limit = base + carried
    rate = measure(spending, slugs, (start, end), today)
    due = bills(schedules, slugs, today, end)
    reached = passed(spent, limit)
    return BudgetView(
        budget_id=one.budget_id,
        category=one.category,
        period=one.period,
        limit=limit,
        base=base,
        carried=carried,
        starts_on=one.starts_on,
        period_start=start,
        period_end=end,
        spent=spent,
        provisional=spending.provisional(start, end, slugs),
        percent=percent(spent, limit),
        left=limit - spent,
        bills_due=due,
        safe_per_day=safe_per_day(limit - spent - due, rate.days_left),
        projected=rate.projected,
        thresholds=[ThresholdView(at=t, passed=str(t) in reached) for t in (*THRESHOLDS_PERCENT, EXCEEDED)],
        rollover=one.rollover,
    )
