"""Weekly summaries: on Monday morning where the person lives, of the week that is over, against the one before.

A timer makes them. It is set by the first spend or saving and goes on from week to week while there is one; a person
with none in both weeks gets no summary and no timer, so that an idle actor stays asleep.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from engine import alerts
from engine.alerts import Draft
from engine.behaviour import Context
from engine.commands import MakeSummary
from engine.events import JarDeposited, SummaryMade, SummaryPlanned, TimerSet, TransactionRecorded
from engine.events.summaries import AtRisk, CategoryWeek, JarWeek, StreakThen, Summary
from engine.money import show
from engine.periods import local_time
from engine.planning.budgets import percent
from engine.planning.burn_rate import measure
from engine.planning.saved_weeks import week_of
from engine.planning.spending import OVERALL
from engine.state import USER_STREAK, UserState

HOUR = 8
TIMER_ID = "summary"
CATEGORIES_SHOWN = 8
AT_RISK_SHOWN = 5
AT_RISK_PERCENT = 90
"""A budget is at risk from here on, or where its projection ends above the limit."""
_WEEK = timedelta(days=7)
_SUMMARIES = msgspec.json.Decoder(Summary)
_ENCODER = msgspec.json.Encoder()


def after_turn(state: UserState, events: Sequence[Any], context: Context) -> Sequence[Any]:
    """Plan the first summary when money is spent or saved."""
    if state.summaries.planned or not any(_is_activity(event) for event in events):
        return ()
    return plan(state, context.at)


def _is_activity(event: Any) -> bool:
    return type(event) is JarDeposited or (type(event) is TransactionRecorded and event.counts_as_spend)


def plan(state: UserState, at: datetime) -> list[Any]:
    """Return the events that set the timer for the next Monday morning."""
    zone = state.profile.zone_at(at)
    this = _monday(state.profile.today(at))
    due = local_time(this, HOUR, zone)
    if due <= at:
        due = local_time(this + _WEEK, HOUR, zone)
    return [SummaryPlanned(at=at, due=due), TimerSet(timer_id=TIMER_ID, due=due, command=MakeSummary())]


def make(state: UserState, context: Context) -> list[Any]:
    """Decide the summary of the week that is over; none when it is not over here yet, or was summed up already."""
    today = state.profile.today(context.at)
    this = _monday(today)
    week, before = this - _WEEK, this - 2 * _WEEK
    if context.at < local_time(this, HOUR, state.profile.zone_at(context.at)) or week_of(week) <= state.summaries.week:
        return plan(state, context.at)
    if not any(_was_active(state, start) for start in (before, week)):
        if _was_active(state, this):
            return plan(state, context.at)
        return [SummaryPlanned(at=context.at)]
    summary = _summed_up(state, week, today, context)
    draft = Draft(
        type="summary",
        severity="info",
        message=text(summary),
        data={"summary_id": summary.summary_id, "summary": msgspec.to_builtins(summary)},
    )
    told = alerts.raise_all(state.alerts, [draft], context, today)
    return [SummaryMade(summary=summary), *told, *plan(state, context.at)]


def _was_active(state: UserState, week: date) -> bool:
    return bool(state.summaries.saved_in(week)) or bool(state.spending.by_category(week, week + _WEEK))


def _summed_up(state: UserState, week: date, today: date, context: Context) -> Summary:
    spent, before = state.spending.by_category(week, week + _WEEK), state.spending.by_category(week - _WEEK, week)
    shown, others = _categories(state, spent, before)
    saved = state.summaries.saved_in(week)
    streak = state.streaks[USER_STREAK].at(today)
    return Summary(
        summary_id=context.new_id(),
        at=context.at,
        period_start=week,
        period_end=week + _WEEK,
        currency=state.profile.currency,
        spent=sum(spent.values()),
        spent_before=sum(before.values()),
        saved=sum(saved.values()),
        saved_before=sum(state.summaries.saved_in(week - _WEEK).values()),
        categories=shown,
        others=others,
        streak=StreakThen(streak.unit, streak.current, streak.best, streak.state),
        best_jar=_best_jar(state, saved),
        budgets_at_risk=_at_risk(state, today),
    )


def _categories(
    state: UserState, spent: dict[str, int], before: dict[str, int]
) -> tuple[list[CategoryWeek], CategoryWeek | None]:
    ranked = sorted({*spent, *before}, key=lambda slug: (-max(spent.get(slug, 0), before.get(slug, 0)), slug))
    weeks = [
        CategoryWeek(slug, state.categories.name(slug), spent.get(slug, 0), before.get(slug, 0)) for slug in ranked
    ]
    rest = weeks[CATEGORIES_SHOWN:]
    if not rest:
        return weeks, None
    others = CategoryWeek("others", "Others", sum(one.spent for one in rest), sum(one.before for one in rest))
    return weeks[:CATEGORIES_SHOWN], others


def _best_jar(state: UserState, saved: dict[str, int]) -> JarWeek | None:
    held = {jar_id: amount for jar_id, amount in saved.items() if amount > 0 and jar_id in state.jars}
    if not held:
        return None
    best = max(sorted(held), key=lambda jar_id: held[jar_id])
    return JarWeek(best, state.jars[best].name, held[best])


def _at_risk(state: UserState, today: date) -> list[AtRisk]:
    found = []
    for budget in state.budgets.values():
        start, end = budget.bounds(today)
        spent, limit = budget.spent_in(start), sum(budget.terms(start))
        rate = measure(state.spending, state.categories.members(budget.category), (start, end), today)
        share = percent(spent, limit)
        if share >= AT_RISK_PERCENT or rate.projected.mid > limit:
            name = "Total" if budget.category == OVERALL else state.categories.name(budget.category)
            found.append(
                AtRisk(budget.budget_id, budget.category, name, budget.period, share, limit - spent, rate.projected.mid)
            )
    return sorted(found, key=lambda one: -one.percent)[:AT_RISK_SHOWN]


def text(summary: Summary) -> str:
    """Return a week as a person would tell it: what was spent, against the week before, and what was saved."""
    currency = summary.currency
    more = summary.spent - summary.spent_before
    said = f"Last week you spent {show(summary.spent, currency)}" if summary.spent else "Last week you spent nothing"
    if summary.spent_before and more:
        said += f", {show(abs(more), currency)} {'more' if more > 0 else 'less'} than the week before"
    if summary.saved > 0:
        said += f", and saved {show(summary.saved, currency)}"
    if summary.best_jar is not None and summary.best_jar.saved < summary.saved:
        said += f", most of it in {summary.best_jar.name}"
    return said + "."


def made(state: UserState, event: SummaryMade) -> None:
    """Keep a summary."""
    state.summaries.week = week_of(event.summary.period_start)
    state.summaries.keep(_ENCODER.encode(event.summary))


def newest(state: UserState) -> list[Summary]:
    """Return the summaries that are kept, newest first."""
    return [_SUMMARIES.decode(one) for one in reversed(state.summaries.made)]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
