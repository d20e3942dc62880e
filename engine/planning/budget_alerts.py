"""What budgets make worth telling: thresholds that a spend passes, and a pace that ends above the limit.

The texts are listed in docs/domain.md, "What people are told".
"""

from collections.abc import Iterable
from datetime import date, timedelta

from engine.alerts import Draft
from engine.money import show
from engine.planning.budgets import EXCEEDED, THRESHOLDS_PERCENT, Budget, Standing, mark, passed, percent
from engine.planning.burn_rate import is_quiet, measure, safe_per_day
from engine.planning.recurring import bills
from engine.planning.spending import OVERALL
from engine.planning.taxonomy import CATEGORIES
from engine.state import UserState

_MONTHS = "January February March April May June July August September October November December".split()


def of_spend(state: UserState, after: Iterable[Standing], today: date) -> list[Draft]:
    """Return what a spend makes worth telling: at most one alert a budget, naming all thresholds it passed.

    Only of the running period: a late spend counts in its own and tells nothing.
    """
    drafts = []
    lowest = THRESHOLDS_PERCENT[0]
    for one in after:
        if one.spent * 100 < lowest * one.limit or not one.start <= today < one.end:
            continue
        reached = passed(one.spent, one.limit)
        new = [t for t in reached if not state.alerts.has_told(mark(one.budget.budget_id, one.start, t))]
        if new:
            drafts.append(_threshold(state, one, new, today))
    return drafts


def of_pace(state: UserState, after: Iterable[Standing], today: date, spend: tuple[date, int]) -> list[Draft]:
    """Return a warning for each budget whose period will end above its limit though it is not there yet.

    A cheap look at the plain pace comes first; the weighted projection decides. Once a period, never in its quiet
    time, never for a spend (local date, amount) of another period.
    """
    drafts = []
    for one in after:
        budget, start, end, spent, limit = one
        elapsed, days = (today - start).days + 1, (end - start).days
        if spent > limit or spent * days <= limit * elapsed or not start <= today < end:
            continue
        if is_quiet((start, end), today) or state.alerts.has_told(mark(budget.budget_id, start, "burn")):
            continue
        rate = measure(state.spending, state.categories.members(budget.category), (start, end), today, spend)
        if rate.projected.mid > limit:
            drafts.append(_pace(state, one, rate.projected.mid, rate.days_left, today))
    return drafts


def label(state: UserState, budget: Budget) -> str:
    """Return what a person calls the budget: `eating out budget`, `budget for the month`."""
    if budget.category == OVERALL:
        return "budget for the week" if budget.period == "weekly" else "budget for the month"
    name = state.categories.name(budget.category)
    if budget.category in CATEGORIES:
        name = name[0].lower() + name[1:]
    return f"weekly {name} budget" if budget.period == "weekly" else f"{name} budget"


def day(one: date) -> str:
    """Return a date as a person says it: `30 November`."""
    return f"{one.day} {_MONTHS[one.month - 1]}"


def _left_for(one: Standing, today: date) -> str:
    days = (one.end - today).days
    return "today" if days == 1 else f"the {days} days to {day(one.end - timedelta(days=1))}"


def _message(state: UserState, one: Standing, highest: str, today: date) -> str:
    currency, name = state.profile.currency, label(state, one.budget)
    used, limit = show(one.spent, currency), show(one.limit, currency)
    if highest == EXCEEDED:
        over = show(one.spent - one.limit, currency)
        if one.limit <= 0:
            return f"You are {over} over your {name}: nothing was left to spend."
        return f"You are {over} over your {name}: {used} spent of {limit}."
    if highest == "100":
        return f"Your {name} is used up: {used} spent of {limit}."
    left = show(one.limit - one.spent, currency)
    share = percent(one.spent, one.limit)
    return f"You have used {share}% of your {name}. {left} of {limit} is left for {_left_for(one, today)}."


def _threshold(state: UserState, one: Standing, new: list[str], today: date) -> Draft:
    budget, start, _, spent, limit = one
    beyond = new[-1] == EXCEEDED
    return Draft(
        type="budget_exceeded" if beyond else "budget_threshold",
        severity="critical" if beyond else "warning" if new[-1] != "70" else "info",
        message=_message(state, one, new[-1], today),
        category=budget.category,
        data={
            "budget_id": budget.budget_id,
            "period": budget.period,
            "thresholds": new,
            "highest": new[-1],
            "spent": spent,
            "limit": limit,
            "percent": percent(spent, limit),
        },
        marks=tuple(mark(budget.budget_id, start, t) for t in new),
    )


def _pace(state: UserState, one: Standing, projected: int, days_left: int, today: date) -> Draft:
    budget, limit, currency = one.budget, one.limit, state.profile.currency
    due = bills(state.recurring, state.categories.members(budget.category), today, one.end)
    safe = safe_per_day(limit - one.spent - due, days_left)
    last = day(one.end - timedelta(days=1))
    return Draft(
        type="burn_rate",
        severity="warning",
        message=(
            f"At this pace your {label(state, budget)} runs over: about {show(projected, currency)} by {last}, "
            f"{show(projected - limit, currency)} more than planned. {show(safe, currency)} a day keeps you inside it."
        ),
        category=budget.category,
        data={"budget_id": budget.budget_id, "projected": projected, "limit": limit, "safe_per_day": safe},
        marks=(mark(budget.budget_id, one.start, "burn"),),
    )
