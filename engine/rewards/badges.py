"""Badges: marks that a person reaches once and keeps for ever. Rules: docs/domain.md, "Badges".

Counters run with the events. A payment that passes no mark, in a week and a plan period that are known already, costs
a few comparisons; all else looks through the catalogue.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct, field

from engine import alerts, periods
from engine.alerts import Draft
from engine.behaviour import Context
from engine.events import (
    AlertRaised,
    BadgeEarned,
    JarDeposited,
    TransactionChanged,
    TransactionRecorded,
    TransactionRefunded,
)
from engine.jars.jars import Jar
from engine.rewards.badge_catalogue import ROUND_UPS, Badge, Counter, catalogue, saved_marks
from engine.rewards.streaks import Streak, StreakView

_NEVER = 2**62
"""No mark is left: more than any sum can be."""


class BadgeBook(Struct):
    """What was earned, and the counters. `saved` in minor units, less what refunds took back."""

    earned: dict[str, datetime] = field(default_factory=dict)
    saved: int = 0
    round_ups: int = 0
    jars_filled: int = 0
    goals_on_time: int = 0
    no_spend_weeks: int = 0
    week: int = 0
    """The newest week of a saving or spend, by number; whether it had each of them."""
    week_saved: bool = False
    week_spent: bool = False
    kept_until: int = 0
    """The day (ordinal) up to which the person's plan is kept: until then no streak grows."""
    next_saved: int = 0
    next_round_ups: int = 0
    """The marks to come, so that a payment is compared with one number each; 0: not known yet."""

    def count(self, day: date, saved: int, spent: bool) -> None:
        """Count a saving (negative: taken back) or a spend on a local date."""
        self.saved += saved
        week = periods.plan_index(day, "week")
        if week > self.week:
            self.no_spend_weeks += self.was_without_spending
            self.week, self.week_saved, self.week_spent = week, False, False
        if week == self.week:
            self.week_saved = self.week_saved or saved > 0
            self.week_spent = self.week_spent or spent

    @property
    def was_without_spending(self) -> bool:
        """Whether the newest week, once it is over, was one of saving without spending."""
        return self.week_saved and not self.week_spent

    def kept(self, day: date, streak: Streak) -> None:
        """Remember when the plan is kept in the period of a saving."""
        if day.toordinal() < self.kept_until:
            return
        plan = streak.plan
        index = periods.plan_index(day, plan.every)
        if streak.open.get(index, (0, False))[0] >= (plan.amount or 1):
            self.kept_until = periods.plan_period_end(index, plan.every).toordinal()


class Saving(Struct, frozen=True, gc=False):
    """What an event is to the counters: its local date, what was saved, and whether it is a spend."""

    day: date
    saved: int = 0
    round_ups: int = 0
    spent: bool = False


def _recorded(event: TransactionRecorded) -> Saving:
    saved = event.round_up.amount
    return Saving(event.local_date, saved, 1 if saved else 0, event.counts_as_spend)


def _deposited(event: JarDeposited) -> Saving:
    return Saving(event.local_date, event.amount)


def _refunded(event: TransactionRefunded) -> Saving:
    return Saving(event.local_date, sum(part.amount for part in event.shares))


def _changed(event: TransactionChanged) -> Saving:
    spent = any(one.amount > 0 for one in event.spent)
    return Saving(event.local_date, sum(part.amount for part in event.shares), spent=spent)


SAVINGS: dict[type, Callable[[Any], Saving]] = {
    TransactionRecorded: _recorded,
    JarDeposited: _deposited,
    TransactionRefunded: _refunded,
    TransactionChanged: _changed,
}
"""What counts. An event that saves in another way takes a line."""


class Person(Struct, frozen=True):
    """What badges look at of a person's state."""

    book: BadgeBook
    alerts: alerts.AlertBook
    streak: Streak
    jars: dict[str, Jar]
    currency: str
    today: Callable[[datetime], date]


def is_quiet(book: BadgeBook, event: TransactionRecorded) -> bool:
    """Whether a payment can earn nothing: no mark is passed, no week begins, no streak grows."""
    day = event.local_date.toordinal()
    if day > (book.week + 1) * periods.DAYS_A_WEEK:
        return False
    saved = event.round_up.base + event.round_up.boost
    return not saved or (
        day < book.kept_until and book.saved + saved < book.next_saved and book.round_ups + 1 < book.next_round_ups
    )


def look_ahead(book: BadgeBook, currency: str) -> None:
    """Find the marks to come."""
    book.next_saved = _above(saved_marks(currency), max(book.saved, 0))
    book.next_round_ups = _above(ROUND_UPS, book.round_ups)


def _above(marks: tuple[int, ...], value: int) -> int:
    place = bisect_right(marks, value)
    return marks[place] if place < len(marks) else _NEVER


def follow(person: Person, events: Sequence[Any], context: Context) -> list[Any]:
    """Return the badges that a turn earns, with one alert that names them."""
    of = SAVINGS.get(type(events[0]))
    saving = of(events[0]) if of is not None else None
    filled = [event for event in events if type(event) is AlertRaised and event.type == "jar_target_reached"]
    if saving is None and not filled:
        return []
    today = person.today(context.at)
    reached = values(person, today, saving, filled)
    earned = [badge for badge in catalogue(person.currency) if _is_earned(badge, reached, person)]
    if not earned:
        return []
    told = alerts.raise_all(person.alerts, [_alert(earned)], context, today, events)
    return [*(BadgeEarned(badge_id=badge.badge_id, at=context.at) for badge in earned), *told]


def values(
    person: Person, today: date, saving: Saving | None = None, filled: Sequence[AlertRaised] = ()
) -> dict[Counter, int]:
    """Return where each counter stands, with a turn's own saving and filled jars counted if given."""
    book, more = person.book, saving or Saving(today)
    week_over = periods.plan_index(max(today, more.day), "week") > book.week
    return {
        "saved": book.saved + more.saved,
        "round_ups": book.round_ups + more.round_ups,
        "jars_filled": book.jars_filled + len(filled),
        "goals_on_time": book.goals_on_time + sum(is_on_time(person.jars, event) for event in filled),
        "no_spend_weeks": book.no_spend_weeks + (week_over and book.was_without_spending),
        "streak": _streak(person.streak, today, more).current,
    }


def _streak(streak: Streak, today: date, more: Saving) -> StreakView:
    return streak.at(today, more.day, more.saved) if more.saved > 0 else streak.at(today)


def is_on_time(jars: dict[str, Jar], event: AlertRaised) -> bool:
    """Whether a jar that has reached its target did so before its deadline."""
    jar = jars.get(event.data["jar_id"])
    return jar is not None and jar.deadline is not None and event.local_date <= jar.deadline


def _is_earned(badge: Badge, reached: dict[Counter, int], person: Person) -> bool:
    if badge.badge_id in person.book.earned or reached[badge.counter] < badge.mark:
        return False
    return badge.unit is None or badge.unit == person.streak.plan.every


def _alert(earned: list[Badge]) -> Draft:
    names = [badge.name for badge in earned]
    if len(names) == 1:
        message = f"You have earned a badge: {names[0]}."
    else:
        message = f"You have earned {len(names)} badges: {', '.join(names[:-1])} and {names[-1]}."
    return Draft(
        type="badge",
        severity="info",
        message=message,
        data={"badges": [{"badge_id": badge.badge_id, "name": badge.name} for badge in earned]},
    )
