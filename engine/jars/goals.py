"""Goals: a jar with a target and a deadline. What it needs, how it stands to a straight line, and what is told of it.

The line runs from what was saved when the target or deadline was set. A goal is behind when it has less than the line
asked for one period (a week, or a month under a monthly plan) ago. Rules: docs/domain.md, "Goals".
"""

from datetime import date, datetime, timedelta
from typing import Any

from engine import periods, wording
from engine.alerts import Draft
from engine.commands import CheckGoal
from engine.events import JarCreated, JarEdited, TimerCancelled, TimerSet
from engine.jars.jars import Jar
from engine.jars.views_jars import ForecastView, GoalView, NeededView
from engine.money import show
from engine.profile import Profile

TOLD_AT = timedelta(hours=9)
"""The local time of day at which a goal is looked at: nobody is woken for it."""
FORECAST_DAYS_MAX = 36_500
_PERIOD_DAYS = {"day": 7, "week": 7, "month": 30}


def needed(jar: Jar, today: date) -> NeededView | None:
    """Return what must be saved from today on, rounded up; None without a deadline or after it."""
    if jar.target_amount is None or jar.deadline is None or today > jar.deadline:
        return None
    remaining, days = max(0, jar.target_amount - jar.saved), max(1, (jar.deadline - today).days)
    return NeededView(*(min(remaining, -(-remaining * length // days)) for length in (1, 7, 30)))


def standing(jar: Jar, profile: Profile, today: date) -> GoalView | None:
    """Return how a jar stands to its goal; None without a target and a deadline."""
    if jar.target_amount is None or jar.deadline is None:
        return None
    if jar.saved >= jar.target_amount:
        state = "reached"
    elif today > jar.deadline:
        state = "missed"
    else:
        state = "behind" if jar.saved < _line(jar, _elapsed(jar, today) - _period(jar, profile)) else "on_track"
    return GoalView(state=state, expected=_line(jar, _elapsed(jar, today)), days_left=(jar.deadline - today).days)


def _period(jar: Jar, profile: Profile) -> int:
    """Return the days of a goal's period: that of the jar's plan, else of the person's."""
    return _PERIOD_DAYS[(jar.plan or profile.plan).every]


def _elapsed(jar: Jar, today: date) -> int:
    return (today - jar.goal_since).days if jar.goal_since is not None else 0


def _line(jar: Jar, elapsed: int) -> int:
    """Return what a straight line asks after so many days, rounded down."""
    assert jar.target_amount is not None
    if jar.goal_since is None or jar.deadline is None:
        return 0
    length = max(1, (jar.deadline - jar.goal_since).days)
    way = max(0, jar.target_amount - jar.goal_from)
    return jar.goal_from + way * max(0, min(elapsed, length)) // length


def forecast(jar: Jar, today: date) -> ForecastView | None:
    """Return the pace since the goal was set, today included, and when it gets there; None without a target."""
    if jar.target_amount is None or jar.goal_since is None:
        return None
    gained, days = max(0, jar.saved - jar.goal_from), _elapsed(jar, today) + 1
    remaining = jar.target_amount - jar.saved
    if remaining <= 0:
        return ForecastView(gained // days, today)
    wait = -(-remaining * days // gained) if gained else FORECAST_DAYS_MAX + 1
    return ForecastView(gained // days, today + timedelta(days=wait) if wait <= FORECAST_DAYS_MAX else None)


def timers(was: Jar | None, event: JarCreated | JarEdited, profile: Profile) -> list[TimerSet | TimerCancelled]:
    """Return the timer that a jar's description asks for: none without a goal that still runs."""
    today = profile.today(event.at)
    plan = event.plan or profile.plan
    if event.target_amount is not None and event.deadline is not None and today <= event.deadline:
        unchanged = (
            was is not None
            and was.goal_since is not None
            and (was.target_amount, was.deadline, was.plan)
            == (
                event.target_amount,
                event.deadline,
                event.plan,
            )
        )
        return [] if unchanged else [_timer(event.jar_id, event.deadline, plan.every, profile, event.at)]
    had = was is not None and was.target_amount is not None and was.deadline is not None and today <= was.deadline
    return [TimerCancelled(timer_id=_name(event.jar_id))] if had else []


def _name(jar_id: str) -> str:
    return f"goal:{jar_id}"


def _timer(jar_id: str, deadline: date, every: str, profile: Profile, at: datetime) -> TimerSet:
    """Return the timer of the next look: the first day of the next week or month, or the day after the deadline."""
    today = profile.today(at)
    unit: Any = "month" if every == "month" else "week"
    following = periods.plan_period_end(periods.plan_index(today, unit), unit)
    day = max(min(following, deadline + timedelta(days=1)), today + timedelta(days=1))
    due = periods.local_midnight(day, profile.zone_at(at)) + TOLD_AT
    return TimerSet(timer_id=_name(jar_id), due=due, command=CheckGoal(jar_id=jar_id))


def look(jar: Jar, profile: Profile, at: datetime) -> tuple[list[Draft], list[TimerSet]]:
    """Return what a timer's look at a goal tells, and the next timer; nothing for a jar that has no goal any more."""
    today = profile.today(at)
    stands = standing(jar, profile, today)
    if stands is None or jar.deadline is None:
        return [], []
    told = [draft for draft in (_alert(jar, stands, profile.currency, today),) if draft is not None]
    if today > jar.deadline:
        return told, []
    return told, [_timer(jar.jar_id, jar.deadline, (jar.plan or profile.plan).every, profile, at)]


def _alert(jar: Jar, stands: GoalView, currency: str, today: date) -> Draft | None:
    assert jar.deadline is not None
    assert jar.target_amount is not None
    saved, by = show(jar.saved, currency), wording.day(jar.deadline)
    data = {"jar_id": jar.jar_id, "balance": jar.saved, "target": jar.target_amount, "deadline": str(jar.deadline)}
    if stands.state == "missed":
        whole = show(jar.target_amount, currency)
        message = f"{jar.name} was to be full by {by}: {saved} of {whole} is there. Choose another date to go on."
        return Draft(type="goal_missed", severity="warning", message=message, data=data)
    wants = needed(jar, today)
    if stands.state != "behind" or wants is None:
        return None
    message = (
        f"{jar.name} is behind: {saved} of the {show(stands.expected, currency)} planned by now. "
        f"{show(wants.per_week, currency)} a week would still fill it by {by}."
    )
    return Draft(type="goal_behind", severity="warning", message=message, data={**data, "expected": stands.expected})
