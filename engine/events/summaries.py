"""Events of weekly summaries. Amounts in minor units of the home currency."""

from datetime import date, datetime

from msgspec import Struct


class CategoryWeek(Struct, frozen=True):
    """What was spent on a category in the week and in the one before."""

    category: str
    name: str
    spent: int
    before: int


class JarWeek(Struct, frozen=True):
    """What a jar got in the week."""

    jar_id: str
    name: str
    saved: int


class StreakThen(Struct, frozen=True):
    """The streak as it stood."""

    unit: str
    current: int
    best: int
    state: str


class AtRisk(Struct, frozen=True):
    """A budget that is nearly used up, used up, or will be at this pace."""

    budget_id: str
    category: str
    name: str
    period: str
    percent: int
    left: int
    projected: int


class Summary(Struct, frozen=True, kw_only=True):
    """A week, from `period_start` up to, not including, `period_end`, against the one before it.

    `categories` are those with most spent in either week; `others` is what the rest sums up to.
    """

    summary_id: str
    at: datetime
    period_start: date
    period_end: date
    currency: str
    spent: int
    spent_before: int
    saved: int
    saved_before: int
    categories: list[CategoryWeek]
    others: CategoryWeek | None
    streak: StreakThen
    best_jar: JarWeek | None
    budgets_at_risk: list[AtRisk]


class SummaryPlanned(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="summary_planned"):
    """The next summary comes at `due`; None: none until something moves again."""

    at: datetime
    due: datetime | None = None


class SummaryMade(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="summary_made"):
    """A week was summed up."""

    summary: Summary
