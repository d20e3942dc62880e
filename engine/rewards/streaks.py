"""Streaks: how many periods in a row a saving plan was kept.

A period is kept when at least the plan's amount was saved in it (any saving without an amount). A period in which
nothing could be saved is neutral, except under a plan that names an amount: a deposit was always possible. A missed
one breaks the streak unless a freeze is left (one per 4 kept, at most 2). Events that come up to 7 days late heal, so
periods stay open that long and the streak is folded anew from them.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from msgspec import Struct, field

from engine import periods
from engine.alerts import Draft
from engine.commands import Plan, PlanPeriod

HEALING = timedelta(days=7)
KEPT_PER_FREEZE, FREEZES_MAX = 4, 2
SKIPPED_KEPT = 10
_NOTHING = (0, False)
TOLD_LENGTHS = frozenset({3, 7, 14, 30, 52, 100, 365})


class Fold(Struct, frozen=True, gc=False):
    """The streak up to some period: how long, the best, freezes left, periods kept towards the next freeze."""

    current: int = 0
    best: int = 0
    freezes: int = 0
    towards_freeze: int = 0
    used: int = 0
    """Freezes that kept the present streak."""


class Streak(Struct, kw_only=True):
    """The streak of one plan. `open` holds what was saved, and whether anything could be, by period number."""

    plan: Plan
    closed: Fold = field(default_factory=Fold)
    next_open: int | None = None
    open: dict[int, tuple[int, bool]] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)
    """Days that were left out by a move over the date line: nobody can miss them."""

    def skip(self, last_day: date, days: list[date]) -> None:
        """Take over the days that a change of zone leaves out; an earlier one that had not come to act is forgotten."""
        lived = [day for day in self.skipped if day <= last_day.toordinal()]
        self.skipped = [*lived, *(day.toordinal() for day in days)][-SKIPPED_KEPT:]

    def add(self, day: date, saved: int) -> None:
        """Count what was saved on a local date (0: could have, did not); one before the healing time is lost."""
        index = periods.plan_index(day, self.plan.every)
        if self.next_open is None:
            self.next_open = self._first(day)
        if index < self.next_open:
            return
        before, _ = self.open.get(index, (0, False))
        self.open[index] = (before + saved, True)
        if len(self.open) > 1:
            self._close(day)

    def _first(self, day: date) -> int:
        """Return the first period a streak may hold: what came in the healing time before its first event counts."""
        return periods.plan_index(day - HEALING, self.plan.every)

    def _close(self, day: date) -> None:
        newest = max(self.open)
        horizon = max(day, periods.plan_period_end(newest - 1, self.plan.every)) - HEALING
        assert self.next_open is not None
        until = self.next_open
        while until < newest and periods.plan_period_end(until, self.plan.every) < horizon:
            until += 1
        if until == self.next_open:
            return
        self.closed = self._fold(self.closed, range(self.next_open, until), {})
        self.next_open = until
        self.open = {index: entry for index, entry in self.open.items() if index >= until}

    def _fold(self, fold: Fold, indexes: range, extra: dict[int, tuple[int, bool]]) -> Fold:
        if not indexes:
            return fold
        amount = self.plan.amount
        known: Iterable[int] = indexes
        if amount is None:
            known = sorted(index for index in ({*self.open, *extra} if extra else self.open) if index in indexes)
        least = amount or 1
        current, best, freezes, towards, used = fold.current, fold.best, fold.freezes, fold.towards_freeze, fold.used
        for index in known:
            saved, could = self._entry(index, extra)
            if saved >= least:
                current += 1
                towards += 1
                best = current if current > best else best
                if towards == KEPT_PER_FREEZE:
                    towards, freezes = 0, min(FREEZES_MAX, freezes + 1)
            elif (could or amount is not None) and not self._is_skipped(index):
                if freezes and current:
                    freezes, used = freezes - 1, used + 1
                else:
                    current = freezes = towards = used = 0
        return Fold(current, best, freezes, towards, used)

    def was_kept(self, today: date, day: date) -> bool:
        """Whether today's period, in which something is saved, was kept before: the streak grows no more."""
        index = periods.plan_index(today, self.plan.every)
        before = self.open.get(index, _NOTHING)[0]
        return before >= (self.plan.amount or 1) and periods.plan_index(day, self.plan.every) == index

    def _is_skipped(self, index: int) -> bool:
        return self.plan.every == "day" and index in self.skipped

    def _entry(self, index: int, extra: dict[int, tuple[int, bool]]) -> tuple[int, bool]:
        known = self.open.get(index, _NOTHING)
        if not extra:
            return known
        more, also = extra.get(index, _NOTHING)
        return known[0] + more, known[1] or also

    def at(self, today: date, day: date | None = None, saved: int = 0) -> "StreakView":
        """Return the streak as of `today`, with one more saving on `day` counted if given."""
        plan = self.plan
        every = plan.every
        now = periods.plan_index(today, every)
        index = periods.plan_index(day, every) if day is not None else now
        first = self.next_open if self.next_open is not None else self._first(day or today)
        late = {index: (saved, True)} if index < now else {}
        fold = self._fold(self.closed, range(first, now), late)
        saved_now = self.open.get(now, _NOTHING)[0]
        if day is not None and index == now:
            saved_now += saved
        kept = saved_now >= (plan.amount or 1)
        if kept:
            fold = _kept(fold)
        state: Literal["kept", "open", "none"] = "kept" if kept else "open" if fold.current else "none"
        return StreakView(
            unit=every,
            current=fold.current,
            best=fold.best,
            freezes=fold.freezes,
            freezes_used=fold.used,
            state=state,
            next_deadline=periods.plan_period_last(now + kept, every),
            amount=plan.amount,
        )


class StreakView(Struct, frozen=True, kw_only=True, gc=False):
    """A streak on the wire. `state`: this period is `kept`, still `open`, or there is no streak (`none`).

    `freezes` are left, `freezes_used` kept the present streak over missed periods. `next_deadline` is the last local
    date on which saving keeps it.
    """

    unit: PlanPeriod
    current: int
    best: int
    freezes: int
    state: str
    next_deadline: date
    amount: int | None = None
    jar_id: str | None = None
    freezes_used: int = 0


def _kept(fold: Fold) -> Fold:
    current, towards, freezes = fold.current + 1, fold.towards_freeze + 1, fold.freezes
    if towards == KEPT_PER_FREEZE:
        towards, freezes = 0, min(FREEZES_MAX, freezes + 1)
    return Fold(current, max(fold.best, current), freezes, towards, fold.used)


def replanned(streak: Streak, plan: Plan) -> Streak:
    """Return the streak under a changed plan: the same period and amount goes on, anything else begins anew."""
    return streak if streak.plan == plan else Streak(plan=plan, skipped=streak.skipped)


def after(streak: Streak, today: date, day: date, saved: int) -> tuple[StreakView, list[Draft]]:
    """Return the streak with one more saving, and the alert if it has just reached a length worth telling."""
    view = streak.at(today, day, saved)
    if view.current not in TOLD_LENGTHS or streak.was_kept(today, day) or streak.at(today).current >= view.current:
        return view, []
    return view, [_milestone(view)]


def _milestone(after: StreakView) -> Draft:
    return Draft(
        type="streak",
        severity="info",
        message=f"You have saved {after.current} {after.unit}s in a row.",
        data={"unit": after.unit, "current": after.current, "best": after.best},
        marks=(),
    )
