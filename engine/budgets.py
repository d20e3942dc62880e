"""Budgets: a limit for a category, or for everything, a week or a month; alerts at 70, 90, 100 % and beyond.

Exactly 100 % is used up; only more is exceeded. Each threshold tells once a period. A zero limit with any spend is
exceeded and shows 100 %. Rules: docs/domain.md, "Budgets".
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from msgspec import Struct, field

from engine import money
from engine.alerts import AlertBook, Draft, rearmed
from engine.behaviour import Context, Refused, invalid
from engine.burn_rate import Projection, is_quiet, measure, safe_per_day
from engine.commands import BudgetPeriod, DeleteBudget, SetBudget
from engine.events import BudgetDeleted, BudgetSet
from engine.periods import budget_period
from engine.spending import OVERALL, Spending

THRESHOLDS_PERCENT = (70, 90, 100)
EXCEEDED = "exceeded"
REARM_POINTS = 5
BUDGETS_MAX = 100
_PERIODS_KEPT = {"weekly": 57, "monthly": 13}


class Budget(Struct, kw_only=True):
    """A limit and what was spent, by the ordinal of the period's first day (13 months)."""

    budget_id: str
    category: str
    period: BudgetPeriod
    limit: int
    starts_on: int
    spent: dict[int, int] = field(default_factory=dict)

    def bounds(self, day: date) -> tuple[date, date]:
        """Return first day and first day after the period that holds `day`."""
        return budget_period(day, self.period, self.starts_on)

    def spent_in(self, start: date) -> int:
        """Return what was spent in the period that begins with `start`."""
        return self.spent.get(start.toordinal(), 0)

    def add(self, day: date, amount: int) -> None:
        """Count a spend in the period of its local date."""
        start = self.bounds(day)[0].toordinal()
        self.spent[start] = self.spent.get(start, 0) + amount
        if len(self.spent) > _PERIODS_KEPT[self.period]:
            del self.spent[min(self.spent)]


class Standing(NamedTuple):
    """A budget after a spend: the period of the spend, and what is spent in it."""

    budget: Budget
    start: date
    end: date
    spent: int


class ThresholdView(Struct, frozen=True):
    """A threshold and whether this period's spending has passed it."""

    at: int | str
    passed: bool


class BudgetView(Struct, frozen=True, kw_only=True):
    """A budget on the wire, for the period that holds today. Amounts in minor units."""

    budget_id: str
    category: str
    period: str
    limit: int
    starts_on: int
    period_start: date
    period_end: date
    spent: int
    provisional: int
    percent: int
    left: int
    safe_per_day: int
    projected: Projection
    thresholds: list[ThresholdView]
    rollover: str = "none"


class BudgetLine(Struct, frozen=True):
    """A budget's state after a turn, as a receipt shows it."""

    category: str
    spent: int
    limit: int
    percent: int
    period: str = "monthly"


def key(category: str, period: str) -> str:
    """Return the key of the one budget a (category, period)."""
    return f"{category}:{period}"


def percent(spent: int, limit: int) -> int:
    """Return how much of the limit is used, rounded down; a zero limit with spend counts as 100."""
    if limit == 0:
        return 100 if spent > 0 else 0
    return max(0, spent) * 100 // limit


def passed(spent: int, limit: int) -> list[str]:
    """Return the thresholds that `spent` has reached, lowest first; `exceeded` only beyond the limit."""
    reached = [str(mark) for mark in THRESHOLDS_PERCENT if spent > 0 and spent * 100 >= mark * limit]
    return [*reached, EXCEEDED] if spent > limit else reached


def mark(budget_id: str, start: date, threshold: str) -> str:
    """Return what `AlertBook` remembers of a told threshold."""
    return f"{marks_of(budget_id)}{start.toordinal()}:{threshold}"


def marks_of(budget_id: str) -> str:
    """Return what every mark of a budget begins with."""
    return f"budget:{budget_id}:"


def set_limit(
    budgets: dict[str, Budget], spending: Spending, command: SetBudget, context: Context, today: date
) -> BudgetSet:
    """Decide a limit; thresholds that this period's spending has passed count as told."""
    starts_on = command.starts_on or 1
    if command.period == "weekly" and starts_on > 7:
        raise invalid("starts_on", f"{starts_on} is not an ISO weekday; a weekly budget starts on 1 (Monday) to 7")
    existing = budgets.get(key(command.category, command.period))
    if existing is None and len(budgets) >= BUDGETS_MAX:
        raise Refused("conflict", f"a user has at most {BUDGETS_MAX} budgets; delete one first")
    start, end = budget_period(today, command.period, starts_on)
    return BudgetSet(
        budget_id=existing.budget_id if existing else context.new_id(),
        at=context.at,
        category=command.category,
        period=command.period,
        limit=command.limit,
        starts_on=starts_on,
        period_start=start,
        told=passed(spending.between(start, end, command.category), command.limit),
    )


def delete(budgets: dict[str, Budget], command: DeleteBudget, context: Context) -> list[BudgetDeleted]:
    """Decide the end of a category's budgets, of one period or all."""
    gone = [b for b in budgets.values() if b.category == command.category and command.period in (None, b.period)]
    if not gone:
        raise Refused(
            "not_found", f"there is no {command.period or ''} budget for {command.category!r}".replace("  ", " ")
        )
    return [BudgetDeleted(budget_id=b.budget_id, at=context.at, category=b.category, period=b.period) for b in gone]


def was_set(budgets: dict[str, Budget], spending: Spending, book: AlertBook, event: BudgetSet) -> None:
    """Take over a limit; a new or re-cut budget counts the days that are kept."""
    name = key(event.category, event.period)
    budget = budgets.get(name)
    if budget is None or budget.starts_on != event.starts_on:
        budget = budgets[name] = Budget(
            budget_id=event.budget_id,
            category=event.category,
            period=event.period,
            limit=event.limit,
            starts_on=event.starts_on,
        )
        for ordinal, sums in spending.days.items():
            spent = sum(sums.values()) if event.category == OVERALL else sums.get(event.category, 0)
            if spent:
                budget.add(date.fromordinal(ordinal), spent)
    budget.limit = event.limit
    book.tell((mark(event.budget_id, event.period_start, t) for t in event.told), event.period_start)


def standings(budgets: Iterable[Budget], day: date, amount: int) -> list[Standing]:
    """Return budgets as they stand after a spend on a local date, in the period of that date."""
    after = []
    for budget in budgets:
        start, end = budget.bounds(day)
        after.append(Standing(budget, start, end, budget.spent_in(start) + amount))
    return after


def lines(after: Iterable[Standing]) -> list[BudgetLine]:
    """Return what a receipt shows of the budgets a spend touches."""
    return [
        BudgetLine(b.category, spent, b.limit, percent(spent, b.limit), b.period) for b, _start, _end, spent in after
    ]


def alerts_of_spend(after: Iterable[Standing], book: AlertBook, today: date, currency: str) -> list[Draft]:
    """Return what a spend makes worth telling: at most one alert a budget, naming all thresholds it passed."""
    drafts = []
    for budget, start, end, spent in after:
        if spent * 100 < THRESHOLDS_PERCENT[0] * budget.limit or not start <= today < end:
            continue
        reached = passed(spent, budget.limit)
        new = [t for t in reached if not book.has_told(mark(budget.budget_id, start, t))]
        if new:
            drafts.append(_threshold_alert(budget, start, spent, new, currency))
    return drafts


def marks_to_rearm(after: Iterable[Standing], book: AlertBook, today: date) -> list[str]:
    """Return the told thresholds that lie at least 5 points above what is spent after a refund; each once a period."""
    marks = []
    for budget, start, end, spent in after:
        if not start <= today < end:
            continue
        for threshold in (*THRESHOLDS_PERCENT, EXCEEDED):
            at = 100 if threshold == EXCEEDED else int(threshold)
            told = mark(budget.budget_id, start, str(threshold))
            if spent * 100 <= (at - REARM_POINTS) * budget.limit and book.has_told(told):
                marks += [] if book.has_told(rearmed(told)) else [told]
    return marks


def _threshold_alert(budget: Budget, start: date, spent: int, new: list[str], currency: str) -> Draft:
    beyond = EXCEEDED in new
    used, of = money.show(spent, currency), money.show(budget.limit, currency)
    what = "total" if budget.category == OVERALL else budget.category
    if beyond:
        message = f"You are {money.show(spent - budget.limit, currency)} over your {what} budget: {used} of {of}."
    elif new[-1] == "100":
        message = f"Your {what} budget is used up: {used} of {of}."
    else:
        left = money.show(budget.limit - spent, currency)
        message = f"You have used {percent(spent, budget.limit)} % of your {what} budget; {left} of {of} is left."
    return Draft(
        type="budget_exceeded" if beyond else "budget_threshold",
        severity="critical" if beyond else "warning" if new[-1] != "70" else "info",
        message=message,
        category=budget.category,
        data={
            "budget_id": budget.budget_id,
            "period": budget.period,
            "thresholds": new,
            "highest": new[-1],
            "spent": spent,
            "limit": budget.limit,
            "percent": percent(spent, budget.limit),
        },
        marks=tuple(mark(budget.budget_id, start, t) for t in new),
    )


def burn_alerts(
    after: Iterable[Standing], spending: Spending, book: AlertBook, today: date, spend: tuple[date, int], currency: str
) -> list[Draft]:
    """Return a warning for each budget whose period will end above its limit though it is not there yet.

    A cheap look at the plain pace comes first; the weighted projection decides. Once a period, never in its quiet
    time, never for a spend (local date, amount) of another period.
    """
    drafts = []
    for budget, start, end, spent in after:
        elapsed, days = (today - start).days + 1, (end - start).days
        if spent > budget.limit or spent * days <= budget.limit * elapsed or not start <= today < end:
            continue
        if is_quiet((start, end), today) or book.has_told(mark(budget.budget_id, start, "burn")):
            continue
        rate = measure(spending, budget.category, (start, end), today, spend)
        if rate.projected.mid > budget.limit:
            drafts.append(_burn_alert(budget, start, rate.projected.mid, rate.days_left, spent, currency))
    return drafts


def _burn_alert(budget: Budget, start: date, projected: int, days_left: int, spent: int, currency: str) -> Draft:
    what = "total" if budget.category == OVERALL else budget.category
    safe = safe_per_day(budget.limit - spent, days_left)
    return Draft(
        type="burn_rate",
        severity="warning",
        message=(
            f"At this pace your {what} spending ends near {money.show(projected, currency)}, above its budget of "
            f"{money.show(budget.limit, currency)}. {money.show(safe, currency)} a day keeps you inside it."
        ),
        category=budget.category,
        data={"budget_id": budget.budget_id, "projected": projected, "limit": budget.limit, "safe_per_day": safe},
        marks=(mark(budget.budget_id, start, "burn"),),
    )


def view(budget: Budget, spending: Spending, today: date) -> BudgetView:
    """Return a budget as the wire shows it, for the period that holds `today`."""
    start, end = budget.bounds(today)
    spent = budget.spent_in(start)
    rate = measure(spending, budget.category, (start, end), today)
    reached = passed(spent, budget.limit)
    return BudgetView(
        budget_id=budget.budget_id,
        category=budget.category,
        period=budget.period,
        limit=budget.limit,
        starts_on=budget.starts_on,
        period_start=start,
        period_end=end,
        spent=spent,
        provisional=spending.provisional(start, end, budget.category),
        percent=percent(spent, budget.limit),
        left=budget.limit - spent,
        safe_per_day=safe_per_day(budget.limit - spent, rate.days_left),
        projected=rate.projected,
        thresholds=[ThresholdView(at=t, passed=str(t) in reached) for t in (*THRESHOLDS_PERCENT, EXCEEDED)],
    )
