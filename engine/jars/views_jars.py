"""Jars on the wire (api.md). Amounts in minor units of the home currency."""

from datetime import date, datetime

from msgspec import Struct

from engine.alerts import AlertView


class PlanView(Struct, frozen=True):
    """A saving plan: at least `amount` (any when null) every period."""

    every: str
    amount: int | None


class NeededView(Struct, frozen=True):
    """What must be saved from today on to reach a target by its deadline, rounded up; a month is 30 days."""

    per_day: int
    per_week: int
    per_month: int


class GoalView(Struct, frozen=True, kw_only=True):
    """How a jar stands to its goal: `on_track`, `behind`, `reached` or `missed`.

    `expected` is what a straight line asks for today; `days_left` is below zero after the deadline.
    """

    state: str
    expected: int
    days_left: int


class ForecastView(Struct, frozen=True):
    """The pace since the goal was set; `reaches_on` is null when nothing was saved, or in over 100 years."""

    per_day: int
    reaches_on: date | None


class JarView(Struct, frozen=True, kw_only=True):
    """A jar on the wire. `balance` = provisional + accrued + scheduled + settled; `progress` is 0-100 or null.

    `locked_until` is when the lock ends, null when the jar is open; `unlocks_at` when an emergency unlock opens it.
    """

    jar_id: str
    name: str
    target_amount: int | None
    deadline: date | None
    image_url: str | None
    priority: int
    cap_at_target: bool
    plan: PlanView | None
    is_default: bool
    currency: str
    balance: int
    provisional: int
    accrued: int
    scheduled: int
    settled: int
    reserved: int
    available: int
    progress: int | None
    locked_until: datetime | None
    unlocks_at: datetime | None
    created_at: datetime
    needed: NeededView | None = None
    goal: GoalView | None = None
    forecast: ForecastView | None = None


class DepositView(Struct, frozen=True, kw_only=True):
    """The answer to a deposit."""

    deposit_id: str
    jar_id: str
    amount: int
    currency: str
    at: datetime
    jar: JarView
    alerts: list[AlertView] = []


class TransferView(Struct, frozen=True, kw_only=True):
    """The answer to a transfer between jars: both of them after it."""

    transfer_id: str
    jar_id: str
    to_jar: str
    amount: int
    currency: str
    at: datetime
    jar: JarView
    to: JarView
    alerts: list[AlertView] = []


class AllocationShare(Struct, frozen=True, kw_only=True):
    """A jar's part. `percent` of the next saving, null by priority; `priority` is null for the default jar."""

    jar_id: str
    name: str
    percent: int | None
    priority: int | None


class AllocationView(Struct, frozen=True, kw_only=True):
    """How savings are shared, the jars in the order of allocation; percents sum to 100."""

    mode: str
    shares: list[AllocationShare]
