"""Saving challenges: days without a spend, 52 weeks that each save a little more, an amount by a date.

Progress is read from what the person's own events made of the books, so it is what it is after late events, refunds and
edits too. A timer at each local midnight scores and, at the end, tells. Rules: docs/domain.md, "Saving challenges".
"""

from datetime import date, timedelta
from math import isqrt
from typing import Annotated

from msgspec import Meta, Struct

from engine.alerts import Draft
from engine.behaviour import Context, Refused, invalid
from engine.commands.saving_challenges import WINDOW_DAYS_MAX, JoinChallenge, TickChallenge
from engine.events.saving_challenges import SavingChallengeEnded, SavingChallengeJoined, SavingChallengeScored
from engine.events.timers import TimerSet
from engine.group_book import RESERVED, SETTLED, SHARE_STAGES, group_account
from engine.jars.jars import STAGES
from engine.ledger import jar_account
from engine.money import show
from engine.paging import page
from engine.periods import local_midnight
from engine.rewards import leaderboards
from engine.rewards.saving_book import RUNNING_MAX, SavingChallenge
from engine.state import UserState

WEEKS = 52
_SHARE = (RESERVED, *SHARE_STAGES)
YEARS_MAX = 5


class CatalogueEntry(Struct, frozen=True, kw_only=True):
    """A challenge that can be begun: the fields it takes."""

    kind: str
    name: str
    description: str
    fields: list[str]


CATALOGUE = (
    CatalogueEntry(
        kind="no_spend_days",
        name="No-spend days",
        description="Spend nothing on `days` days (10) of the next `within_days` (30, at most 60), today included.",
        fields=["days", "within_days"],
    ),
    CatalogueEntry(
        kind="week_52",
        name="52 weeks",
        description="Save `amount` in the first week, twice as much in the second, and so on for 52 weeks.",
        fields=["amount"],
    ),
    CatalogueEntry(
        kind="save_by_date",
        name="Save by a date",
        description="Save `amount` more than today, until the end of `until`.",
        fields=["amount", "until"],
    ),
)
NAMES = {entry.kind: entry.name for entry in CATALOGUE}


class ChallengeView(Struct, frozen=True, kw_only=True):
    """A challenge of the person. `target`, `progress` and `due` in days or minor units as `unit` says; `percent` 0-100.

    `due` is what 52 weeks should have saved by the end of this week.
    """

    challenge_id: str
    kind: str
    name: str
    starts_on: date
    ends_on: date
    unit: str
    target: int
    progress: int
    percent: int
    due: int | None
    state: str
    leaderboard_id: str | None
    pseudonym: str | None
    member: str | None


class ChallengesView(Struct, frozen=True):
    """What there is to begin, and what the person has begun: running ones, then the last that are over."""

    catalogue: list[CatalogueEntry]
    items: list[ChallengeView]
    next_cursor: str | None = None


def saved(state: UserState, jar_stages: tuple[str, ...] = STAGES, group_stages: tuple[str, ...] = _SHARE) -> int:
    """Return all that the person has in jars and groups now, in these stages, in minor units."""
    currency, balance = state.profile.currency, state.ledger.balance
    jars = sum(balance(jar_account(jar_id, stage), currency) for jar_id in state.jars for stage in jar_stages)
    groups = {*state.groups.memberships, *(pledge.group_id for pledge in state.groups.pledges.values())}
    return jars + sum(
        balance(group_account(group_id, stage), currency) for group_id in groups for stage in group_stages
    )


def progress(state: UserState, one: SavingChallenge, today: date) -> int:
    """Return what has been reached: whole days without a spend before `today`, or what was saved since the start."""
    if one.kind != "no_spend_days":
        return max(0, saved(state) - one.baseline)
    last = min(today - timedelta(days=1), one.ends_on)
    days = (last - one.starts_on).days + 1
    if days <= 0:
        return 0
    return sum(spent <= 0 for spent in state.spending.daily(None, last, days))


def confirmed(state: UserState, one: SavingChallenge, reached: int) -> int:
    """Return what counts on a leaderboard: of a live tenant only money that the host has moved, whoever said what."""
    if state.profile.tenant_mode != "live":
        return reached
    return min(reached, max(0, saved(state, (SETTLED, RESERVED), (SETTLED,)) - one.baseline))


def week_total(step: int, weeks: int) -> int:
    """Return what so many weeks save together, week n saving n steps."""
    return step * weeks * (weeks + 1) // 2


def weeks_kept(step: int, amount: int) -> int:
    """Return how many weeks an amount covers."""
    return min(WEEKS, (isqrt(1 + 8 * (amount // step)) - 1) // 2)


def score(one: SavingChallenge, reached: int) -> int:
    """Return what a leaderboard shows: days, weeks, or percent of one's own goal, so that no amount is seen."""
    if one.kind == "no_spend_days":
        return reached
    if one.kind == "week_52":
        return weeks_kept(one.step, reached)
    return min(100, reached * 100 // one.target)


def join(state: UserState, command: JoinChallenge, context: Context, today: date) -> SavingChallengeJoined:
    """Decide a new challenge; the day it begins is today."""
    if len(state.saving.running) >= RUNNING_MAX:
        raise Refused("conflict", f"{RUNNING_MAX} challenges are running; leave one first")
    ends_on, target, step = _terms(command, today)
    challenge_id = context.new_id()
    leaderboard_id = _board(state, command, today)
    return SavingChallengeJoined(
        challenge_id=challenge_id,
        at=context.at,
        kind=command.kind,
        starts_on=today,
        ends_on=ends_on,
        target=target,
        step=step,
        baseline=0 if command.kind == "no_spend_days" else saved(state),
        leaderboard_id=leaderboard_id,
        member=leaderboards.member_of(challenge_id) if leaderboard_id else "",
        pseudonym=(command.pseudonym or leaderboards.generated(challenge_id)) if leaderboard_id else "",
    )


def _terms(command: JoinChallenge, today: date) -> tuple[date, int, int]:
    """Return the last day, the target and the step. Raises `Refused` for a field that is missing or too many."""
    taken = {"no_spend_days": ("days", "within_days"), "week_52": ("amount",), "save_by_date": ("amount", "until")}
    for name in ("days", "within_days", "amount", "until"):
        given = getattr(command, name) is not None
        if given and name not in taken[command.kind]:
            raise invalid(name, f"means nothing for {command.kind}; leave it out")
        if not given and name in taken[command.kind] and command.kind != "no_spend_days":
            raise invalid(name, f"is required for {command.kind}")
    if command.kind == "no_spend_days":
        days, within = command.days or 10, command.within_days or min(WINDOW_DAYS_MAX, max(30, command.days or 0))
        if days > within:
            raise invalid("days", f"{days} days do not fit into {within}; raise within_days")
        return today + timedelta(days=within - 1), days, 0
    amount, until = command.amount or 0, command.until or today
    if command.kind == "week_52":
        return today + timedelta(weeks=WEEKS, days=-1), week_total(amount, WEEKS), amount
    if not today < until <= today + timedelta(days=366 * YEARS_MAX):
        raise invalid("until", f"{until} is not after {today} and within {YEARS_MAX} years")
    return until, amount, 0


def _board(state: UserState, command: JoinChallenge, today: date) -> str | None:
    if command.board is None:
        for name in ("group_id", "pseudonym"):
            if getattr(command, name) is not None:
                raise invalid(name, "goes with a board; leave it out to take part alone")
        return None
    if state.profile.tenant_mode == "live" and command.kind == "no_spend_days":
        raise invalid(
            "board", "is not for no_spend_days here: a day without a spend is only what somebody did not report"
        )
    if command.board == "tenant":
        if command.group_id is not None:
            raise invalid("group_id", "goes with board: group")
        return f"{command.kind}-{today:%Y-%m}"
    if command.group_id not in state.groups.memberships:
        raise invalid("group_id", "is not a group of yours; join it first")
    return f"{command.kind}-{command.group_id}"


def timer_id(challenge_id: str) -> str:
    """Return the id of a challenge's timer."""
    return f"challenge:{challenge_id}"


def next_tick(state: UserState, challenge_id: str, context: Context, today: date) -> TimerSet:
    """Return the timer of the next local midnight."""
    due = local_midnight(today + timedelta(days=1), state.profile.zone_at(context.at))
    return TimerSet(timer_id=timer_id(challenge_id), due=due, command=TickChallenge(challenge_id=challenge_id))


def scored(one: SavingChallenge, reached: int | None, context: Context) -> SavingChallengeScored | None:
    """Return what the leaderboard must show when that is not what it shows; `reached` None: nothing any more."""
    now = None if reached is None else score(one, reached)
    if one.leaderboard_id is None or (now == one.score and (now is not None or reached is None)):
        return None
    return SavingChallengeScored(
        challenge_id=one.challenge_id,
        at=context.at,
        leaderboard_id=one.leaderboard_id,
        member=one.member,
        pseudonym=one.pseudonym,
        score=now,
    )


def ended(one: SavingChallenge, reached: int, context: Context, today: date) -> SavingChallengeEnded | None:
    """Return the end of a challenge whose target is reached, or whose last day is over."""
    if reached < one.target and today <= one.ends_on:
        return None
    outcome = "completed" if reached >= one.target else "missed"
    return SavingChallengeEnded(
        challenge_id=one.challenge_id,
        at=context.at,
        outcome="completed" if outcome == "completed" else "missed",
        progress=reached,
    )


def told(one: SavingChallenge, event: SavingChallengeEnded, currency: str) -> Draft:
    """Return what the person is told at the end."""
    done = f"{event.progress} of {one.target} days"
    if one.kind != "no_spend_days":
        done = f"{show(event.progress, currency)} of {show(one.target, currency)}"
    data = {"challenge_id": one.challenge_id, "kind": one.kind, "progress": event.progress, "target": one.target}
    if event.outcome == "completed":
        return Draft("badge", "info", f"Challenge completed: {NAMES[one.kind]}, {done}. Well done!", data=data)
    return Draft("goal_missed", "info", f"The challenge {NAMES[one.kind]} is over: {done}.", data=data)


def view(state: UserState, one: SavingChallenge, today: date) -> ChallengeView:
    """Return a challenge as its person sees it."""
    reached = progress(state, one, today) if one.outcome == "running" else one.progress
    due = None
    if one.kind == "week_52":
        due = week_total(one.step, min(WEEKS, (today - one.starts_on).days // 7 + 1))
    return ChallengeView(
        challenge_id=one.challenge_id,
        kind=one.kind,
        name=NAMES[one.kind],
        starts_on=one.starts_on,
        ends_on=one.ends_on,
        unit="days" if one.kind == "no_spend_days" else state.profile.currency,
        target=one.target,
        progress=reached,
        percent=min(100, reached * 100 // one.target),
        due=due,
        state=one.outcome,
        leaderboard_id=one.leaderboard_id,
        pseudonym=one.pseudonym or None,
        member=one.member or None,
    )


class GetChallenges(Struct, frozen=True, omit_defaults=True, tag="challenges"):
    """The catalogue, and the person's challenges; `cursor` is the id of the last one seen."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


def challenges(state: UserState, query: GetChallenges, today: date) -> ChallengesView:
    """Return the catalogue and what the person has begun."""
    mine = [*reversed(state.saving.running.values()), *reversed(state.saving.ended)]
    shown = page([view(state, one, today) for one in mine], "challenge_id", query.limit, query.cursor)
    return ChallengesView(list(CATALOGUE), shown.items, shown.next_cursor)
