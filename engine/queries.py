"""What can be read from a user's actor, and the answers, built from the state alone."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from engine import periods
from engine.accounts import accounts, views_accounts
from engine.behaviour import Refused
from engine.jars import jars, reads_jars
from engine.jars.jars import Jar
from engine.paging import page
from engine.payments import roundups
from engine.planning import budgets, queries_planning, views_budgets
from engine.planning.budgets import key
from engine.planning.burn_rate import measure, safe_per_day
from engine.planning.queries_planning import GetCategories, GetRecurring, GetSchedules, GetSummaries, PlanningQuery
from engine.planning.recurring import bills
from engine.planning.spending import OVERALL
from engine.planning.views_budgets import BudgetView
from engine.pledges import GetGroups, memberships
from engine.rewards import reads_badges
from engine.rewards.saving_challenges import GetChallenges, challenges
from engine.rewards.streaks import StreakView
from engine.settlement import sweeps, views_settlement
from engine.state import USER_STREAK, UserState
from engine.views import (
    AutoSavingView,
    BurnRates,
    BurnRateView,
    Overview,
    ProfileView,
    RoundingView,
    StreaksView,
)


class GetOverview(Struct, frozen=True, tag="overview"):
    """Everything a first screen shows."""


class GetProfile(Struct, frozen=True, tag="profile"):
    """The settings."""


class GetJars(Struct, frozen=True, omit_defaults=True, tag="jars"):
    """The jars, newest first; `cursor` is the id of the last one seen."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetJar(Struct, frozen=True, tag="jar"):
    """One jar."""

    jar_id: str


class GetAllocation(Struct, frozen=True, tag="allocation"):
    """How savings are shared."""


class GetBudgets(Struct, frozen=True, omit_defaults=True, tag="budgets"):
    """The budgets, each for the period that holds today."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetBurnRate(Struct, frozen=True, tag="burn_rate"):
    """How fast money goes."""


class GetStreaks(Struct, frozen=True, tag="streaks"):
    """The streaks."""


class GetBadges(Struct, frozen=True, omit_defaults=True, tag="badges"):
    """The badges, earned or not; `cursor` is the id of the last one seen."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetAccounts(Struct, frozen=True, omit_defaults=True, tag="accounts"):
    """The accounts, newest first; `cursor` is the id of the last one seen."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetAccount(Struct, frozen=True, tag="account"):
    """One account."""

    account_id: str


class GetBalances(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="balances"):
    """The balances that were stated of an account, newest first; `cursor` is the id of the last one seen."""

    account_id: str
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetInstructions(Struct, frozen=True, omit_defaults=True, tag="instructions"):
    """What the host was asked to move and waits for, and the last of what ended; newest first."""

    status: Literal["open", "done", "failed"] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetInstruction(Struct, frozen=True, tag="instruction"):
    """One instruction that waits, or ended not long ago."""

    instruction_id: str


class GetMandates(Struct, frozen=True, omit_defaults=True, tag="mandates"):
    """The mandate under which savings are debited, if there is one."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


Query = (
    GetOverview
    | GetProfile
    | GetJars
    | GetJar
    | GetAllocation
    | GetBudgets
    | GetBurnRate
    | GetStreaks
    | GetBadges
    | GetAccounts
    | GetAccount
    | GetBalances
    | GetGroups
    | GetChallenges
    | GetInstructions
    | GetInstruction
    | GetMandates
    | PlanningQuery
)


def answer(state: UserState, query: Query, at: datetime, seq: int) -> Struct:
    """Answer a query as of `at`; `seq` is the last turn the state holds."""
    if not state.is_open:
        raise Refused("not_found", "there is no such user; open it first")
    today = state.profile.today(at)
    match query:
        case GetOverview():
            return overview(state, at, seq, today)
        case GetProfile():
            return profile(state, today)
        case GetJars() | GetJar() | GetAllocation():
            return _jars(state, query, at, today)
        case GetBudgets(limit, cursor):
            return page(_budgets(state, today), "budget_id", limit, cursor)
        case GetBurnRate():
            return burn_rates(state, today)
        case GetStreaks() | GetBadges():
            return streaks(state, today) if isinstance(query, GetStreaks) else _badges(state, query, today)
        case GetGroups() | GetChallenges():
            return memberships(state, query) if isinstance(query, GetGroups) else challenges(state, query, today)
        case GetAccounts() | GetAccount() | GetBalances():
            return _accounts(state, query)
        case GetInstructions() | GetInstruction() | GetMandates():
            return _instructions(state, query)
        case GetCategories() | GetSchedules() | GetRecurring() | GetSummaries():
            return queries_planning.answer(state, query)


def _badges(state: UserState, query: GetBadges, today: date) -> Struct:
    return page(reads_badges.view(state, today), "badge_id", query.limit, query.cursor)


def _jars(state: UserState, query: GetJars | GetJar | GetAllocation, at: datetime, today: date) -> Struct:
    if isinstance(query, GetJars):
        newest = [reads_jars.jar(state, one, at) for one in _newest(state)]
        return page(newest, "jar_id", query.limit, query.cursor)
    if isinstance(query, GetJar):
        return reads_jars.jar(state, jars.find(state.jars, query.jar_id), at)
    return reads_jars.shares(state, today)


def _instructions(state: UserState, query: GetInstructions | GetInstruction | GetMandates) -> Struct:
    settlement = state.settlement
    if isinstance(query, GetMandates):
        known_mandates = [] if settlement.mandate is None else [views_settlement.mandate(settlement.mandate)]
        return page(known_mandates, "mandate_id", query.limit, query.cursor)
    if isinstance(query, GetInstruction):
        one = settlement.find(query.instruction_id)
        if one is None:
            raise Refused("not_found", f"there is no instruction {query.instruction_id!r}")
        return views_settlement.instruction(one, state.user_id)
    known = [*settlement.open.values(), *settlement.finished.values()]
    wanted = [one for one in known if query.status in (None, one.status)]
    newest = sorted(wanted, key=lambda one: (one.created_at, one.instruction_id), reverse=True)
    views = [views_settlement.instruction(one, state.user_id) for one in newest]
    return page(views, "instruction_id", query.limit, query.cursor)


def _accounts(state: UserState, query: GetAccounts | GetAccount | GetBalances) -> Struct:
    if isinstance(query, GetAccounts):
        newest = [views_accounts.account(one) for one in reversed(state.accounts.values())]
        return page(newest, "account_id", query.limit, query.cursor)
    one = accounts.find(state.accounts, query.account_id)
    if isinstance(query, GetAccount):
        return views_accounts.account(one)
    return page(views_accounts.balances(one), "balance_id", query.limit, query.cursor)


def _newest(state: UserState) -> list[Jar]:
    return sorted(state.jars.values(), key=lambda j: (j.created_at, j.jar_id), reverse=True)


def _budgets(state: UserState, today: date) -> list[BudgetView]:
    newest = sorted(state.budgets.values(), key=lambda b: b.budget_id, reverse=True)
    return [
        views_budgets.budget(one, state.spending, state.recurring, state.categories.members(one.category), today)
        for one in newest
    ]


def profile(state: UserState, today: date) -> ProfileView:
    """Return the settings with defaults filled in; a pause that has ended by itself is over."""
    p = state.profile
    saving = p.saving_state(today)
    monthly = state.budgets.get(key(OVERALL, "monthly"))
    event_cap, daily_cap = roundups.default_caps(p.currency)
    return ProfileView(
        user_id=state.user_id,
        name=p.name,
        phone=p.phone,
        currency=p.currency,
        time_zone=p.time_zone,
        rounding=RoundingView(
            unit=p.rounding.unit or roundups.default_unit(p.currency),
            multiplier=p.rounding.multiplier,
            exact_multiple=p.rounding.exact_multiple,
            round_up_p2p=p.rounding.round_up_p2p,
            floor=p.rounding.floor,
            event_cap=p.rounding.event_cap or event_cap,
            daily_cap=p.rounding.daily_cap or daily_cap,
            presets=list(roundups.presets(p.currency)),
        ),
        auto_saving=AutoSavingView(saving, p.auto_saving.until if saving == p.auto_saving.state else None),
        refund_policy=p.refund_policy,
        plan=reads_jars.plan(p.plan),
        monthly_budget=monthly.limit if monthly else None,
        notifications=p.notifications,
        sweep_threshold=sweeps.threshold(state),
        tenant_mode=p.tenant_mode,
    )


def burn_rates(state: UserState, today: date) -> BurnRates:
    """Return the overall burn rate, in the period of the monthly overall budget, and that of each budget in its own."""
    monthly = state.budgets.get(key(OVERALL, "monthly"))
    month = periods.budget_period(today, "monthly", monthly.starts_on if monthly else 1)
    rate = measure(state.spending, None, month, today)
    limit = sum(monthly.terms(month[0])) if monthly else None
    due = bills(state.recurring, None, today, month[1])
    return BurnRates(
        currency=state.profile.currency,
        spent=rate.spent,
        per_day=rate.per_day,
        weighted_per_day=rate.weighted_per_day,
        projected=rate.projected,
        days_left=rate.days_left,
        safe_per_day=None if limit is None else safe_per_day(limit - rate.spent - due, rate.days_left),
        items=[_burn_rate(state, budget, today) for budget in state.budgets.values()],
    )


def _burn_rate(state: UserState, budget: budgets.Budget, today: date) -> BurnRateView:
    start, end = budget.bounds(today)
    rate = measure(state.spending, state.categories.members(budget.category), (start, end), today)
    limit = sum(budget.terms(start))
    due = bills(state.recurring, state.categories.members(budget.category), today, end)
    return BurnRateView(
        category=budget.category,
        period=budget.period,
        period_start=start,
        period_end=end,
        currency=state.profile.currency,
        spent=rate.spent,
        per_day=rate.per_day,
        weighted_per_day=rate.weighted_per_day,
        projected=rate.projected,
        days_elapsed=rate.days_elapsed,
        days_left=rate.days_left,
        limit=limit,
        safe_per_day=safe_per_day(limit - rate.spent - due, rate.days_left),
    )


def streaks(state: UserState, today: date) -> StreaksView:
    """Return the person's streak and those of jars with a plan."""
    own = state.streaks[USER_STREAK].at(today)
    of_jars = [_of_jar(s.at(today), jar_id) for jar_id, s in state.streaks.items() if jar_id != USER_STREAK]
    return StreaksView(
        unit=own.unit,
        current=own.current,
        best=own.best,
        freezes=own.freezes,
        state=own.state,
        next_deadline=own.next_deadline,
        items=[own, *of_jars],
    )


def _of_jar(view: StreakView, jar_id: str) -> StreakView:
    return structs.replace(view, jar_id=jar_id)


def overview(state: UserState, at: datetime, seq: int, today: date) -> Overview:
    """Return everything a first screen shows."""
    shown = [reads_jars.jar(state, j, at) for j in _newest(state)]
    return Overview(
        user_id=state.user_id,
        seq=seq,
        at=at,
        profile=profile(state, today),
        jars=shown,
        total_saved=sum(j.balance for j in shown),
        budgets=_budgets(state, today),
        burn_rate=burn_rates(state, today),
        streak=state.streaks[USER_STREAK].at(today),
        alerts=list(reversed(state.alerts.recent)),
    )
