"""Budgets: a limit for a category, or for everything, a week or a month; what is left may roll over.

Exactly 100 % is used up; only more is exceeded. Each threshold tells once a period. A zero limit with any spend is
exceeded and shows 100 %. Rules: docs/domain.md, "Budgets".
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from msgspec import Struct, field

from engine.alerts import AlertBook, rearmed
from engine.behaviour import Context, Refused, invalid
from engine.commands import AMOUNT_MAX, BudgetPeriod, DeleteBudget, Rollover, SetBudget
from engine.events import BudgetDeleted, BudgetSet
from engine.periods import budget_period, periods_before
from engine.planning.spending import Slugs, Spending

THRESHOLDS_PERCENT = (70, 90, 100)
EXCEEDED = "exceeded"
REARM_POINTS = 5
BUDGETS_MAX = 100
_BEFORE_KEPT = {"weekly": 56, "monthly": 12}
"""Periods kept before the newest that was spent in: 13 months with it."""


class Budget(Struct, kw_only=True):
    """A limit and what was spent, by the ordinal of the period's first day (13 months)."""

    budget_id: str
    category: str
    period: BudgetPeriod
    limit: int
    starts_on: int
    rollover: Rollover = "none"
    spent: dict[int, int] = field(default_factory=dict)
    newest: int = 0
    oldest: int = 0
    """First days of the newest and the oldest period that are kept; what is older is not counted."""
    limits: dict[int, int] = field(default_factory=dict)
    """With roll-over: the limit by the first period it was set for; the oldest key is `chain_from`."""
    chain_from: int = 0
    """The first period of the chain, which `brought` was carried into; each later one follows from what was spent."""
    brought: int = 0

    def bounds(self, day: date) -> tuple[date, date]:
        """Return first day and first day after the period that holds `day`."""
        return budget_period(day, self.period, self.starts_on)

    def spent_in(self, start: date) -> int:
        """Return what was spent in the period that begins with `start`."""
        return self.spent.get(start.toordinal(), 0)

    def terms(self, start: date) -> tuple[int, int]:
        """Return the limit as it was set for a period, and what was carried into it (negative: overspent before).

        Folded from the sums at each call, so a late event or a refund moves every later period. Before the chain
        began nothing was carried.
        """
        if self.rollover == "none":
            return self.limit, 0
        base, carried, at = self.limits[self.chain_from], self.brought, self.chain_from
        if start.toordinal() < at:
            return base, 0
        period = date.fromordinal(at)
        while period < start:
            left = max(-AMOUNT_MAX, min(base + carried - self.spent.get(at, 0), AMOUNT_MAX))
            carried = left if self.rollover == "all" else max(0, left)
            period = self.bounds(period)[1]
            at = period.toordinal()
            base = self.limits.get(at, base)
        return base, carried

    def add(self, day: date, amount: int) -> None:
        """Count a spend in the period of its local date, unless that is more than 13 months before the newest."""
        start = budget_period(day, self.period, self.starts_on)[0]
        ordinal = start.toordinal()
        if ordinal > self.newest:
            self.open(start)
        if ordinal >= self.oldest:
            self.spent[ordinal] = self.spent.get(ordinal, 0) + amount

    def open(self, start: date) -> None:
        """Begin a newer period: those before the last 13 months are forgotten, but not what they carried."""
        oldest = periods_before(start, self.period, self.starts_on, _BEFORE_KEPT[self.period])
        self.newest, self.oldest = start.toordinal(), oldest.toordinal()
        if self.rollover != "none" and self.chain_from < self.oldest:
            base, self.brought = self.terms(oldest)
            self.chain_from = self.oldest
            self.limits = {self.oldest: base, **{at: limit for at, limit in self.limits.items() if at > self.oldest}}
        self.spent = {at: spent for at, spent in self.spent.items() if at >= self.oldest}


class Standing(NamedTuple):
    """A budget after a spend: the period of the spend, what is spent in it, and its limit with what was carried."""

    budget: Budget
    start: date
    end: date
    spent: int
    limit: int


class BudgetLine(Struct, frozen=True, gc=False):
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
    """Return how much of the limit is used, rounded down; 100 for a spend where nothing may be spent."""
    if limit <= 0:
        return 100 if spent > 0 or spent > limit else 0
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
    budgets: dict[str, Budget], spending: Spending, slugs: Slugs, command: SetBudget, context: Context, today: date
) -> BudgetSet:
    """Decide a limit; thresholds that this period's spending has passed count as told.

    `slugs` are the categories it counts. Another first day or another roll-over begins a new chain with the running
    period; what was carried into that one stays.
    """
    starts_on = command.starts_on or 1
    if command.period == "weekly" and starts_on > 7:
        raise invalid("starts_on", f"{starts_on} is not an ISO weekday; a weekly budget starts on 1 (Monday) to 7")
    existing = budgets.get(key(command.category, command.period))
    if existing is None and len(budgets) >= BUDGETS_MAX:
        raise Refused("conflict", f"a user has at most {BUDGETS_MAX} budgets; delete one first")
    start, end = budget_period(today, command.period, starts_on)
    goes_on = existing is not None and (existing.starts_on, existing.rollover) == (starts_on, command.rollover)
    carried = existing.terms(existing.bounds(today)[0])[1] if existing and command.rollover != "none" else 0
    return BudgetSet(
        budget_id=existing.budget_id if existing else context.new_id(),
        at=context.at,
        category=command.category,
        period=command.period,
        limit=command.limit,
        starts_on=starts_on,
        period_start=start,
        told=passed(spending.between(start, end, slugs), command.limit + carried),
        rollover=command.rollover,
        brought=None if goes_on else carried,
    )


def delete(budgets: dict[str, Budget], command: DeleteBudget, context: Context) -> list[BudgetDeleted]:
    """Decide the end of a category's budgets, of one period or all."""
    gone = [b for b in budgets.values() if b.category == command.category and command.period in (None, b.period)]
    if not gone:
        raise Refused(
            "not_found", f"there is no {command.period or ''} budget for {command.category!r}".replace("  ", " ")
        )
    return [BudgetDeleted(budget_id=b.budget_id, at=context.at, category=b.category, period=b.period) for b in gone]


def was_set(budgets: dict[str, Budget], spending: Spending, slugs: Slugs, book: AlertBook, event: BudgetSet) -> None:
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
        for ordinal, spent in spending.by_day(slugs):
            budget.add(date.fromordinal(ordinal), spent)
    _roll(budget, event)
    book.tell((mark(event.budget_id, event.period_start, t) for t in event.told), event.period_start)


def _roll(budget: Budget, event: BudgetSet) -> None:
    """Let a limit count from the running period on, and begin a new chain where the event says so."""
    start = event.period_start.toordinal()
    if start > budget.newest:
        budget.open(event.period_start)
    budget.limit, budget.rollover = event.limit, event.rollover
    if event.rollover == "none":
        budget.limits, budget.chain_from, budget.brought = {}, 0, 0
    elif event.brought is not None:
        budget.limits, budget.chain_from, budget.brought = {start: event.limit}, start, event.brought
    else:
        budget.limits[start] = event.limit


def standings(budgets: Iterable[Budget], day: date, amount: int) -> list[Standing]:
    """Return budgets as they stand after a spend on a local date, in the period of that date."""
    after = []
    for budget in budgets:
        start, end = budget_period(day, budget.period, budget.starts_on)
        limit = budget.limit if budget.rollover == "none" else sum(budget.terms(start))
        after.append(Standing(budget, start, end, budget.spent.get(start.toordinal(), 0) + amount, limit))
    return after


def lines(after: Iterable[Standing]) -> list[BudgetLine]:
    """Return what a receipt shows of the budgets a spend touches."""
    return [
        BudgetLine(budget.category, spent, limit, percent(spent, limit), budget.period)
        for budget, _start, _end, spent, limit in after
    ]


def marks_to_rearm(after: Iterable[Standing], book: AlertBook, today: date) -> list[str]:
    """Return the told thresholds that lie at least 5 points above what is spent after a refund; each once a period."""
    marks = []
    for budget, start, end, spent, limit in after:
        if not start <= today < end:
            continue
        for threshold in (*THRESHOLDS_PERCENT, EXCEEDED):
            at = 100 if threshold == EXCEEDED else int(threshold)
            told = mark(budget.budget_id, start, str(threshold))
            if spent * 100 <= (at - REARM_POINTS) * limit and book.has_told(told):
                marks += [] if book.has_told(rearmed(told)) else [told]
    return marks
