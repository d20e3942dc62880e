"""Local dates and the periods they fall in. A period is named by its first day.

Everything counts in the user's own zone: an instant becomes a local date once, when it is recorded, and keeps it.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.commands import BudgetPeriod, PlanPeriod

DAYS_A_WEEK = 7
_OF_THE_MACHINE = ("localtime", "posixrules", "Factory", "posix/", "right/")
"""Names that zoneinfo takes though they mean another thing on each machine, or count leap seconds."""


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name; raises ValueError for an unknown one."""
    try:
        if name.startswith(_OF_THE_MACHINE):
            raise ValueError("not a place")
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Kolkata") from error


def local_date(at: datetime, zone_name: str) -> date:
    """Return the date of an instant where the user lives."""
    return at.astimezone(zone(zone_name)).date()


def local_midnight(day: date, zone_name: str) -> datetime:
    """Return the instant (UTC) at which a local date begins."""
    return datetime(day.year, day.month, day.day, tzinfo=zone(zone_name)).astimezone(UTC)


def local_time(day: date, hour: int, zone_name: str) -> datetime:
    """Return the instant (UTC) at which an hour strikes on a local date."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone(zone_name)).astimezone(UTC)


def _clamped(year: int, month: int, day: int) -> date:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day - 1), following - timedelta(days=1))


@lru_cache(maxsize=4096)
def budget_period(day: date, period: BudgetPeriod, starts_on: int) -> tuple[date, date]:
    """Return first day and first day after the budget period that holds `day`.

    `starts_on`: ISO weekday (1 Monday) of a weekly period, day of month of a monthly one; 29-31 clamp to short months.
    """
    if period == "weekly":
        start = day - timedelta(days=(day.isoweekday() - starts_on) % DAYS_A_WEEK)
        return start, start + timedelta(days=DAYS_A_WEEK)
    start = _clamped(day.year, day.month, starts_on)
    if start > day:
        return _clamped(day.year, day.month - 1, starts_on), start
    return start, _clamped(day.year, day.month + 1, starts_on)


@lru_cache(maxsize=4096)
def periods_before(start: date, period: BudgetPeriod, starts_on: int, count: int) -> date:
    """Return the first day of the budget period that lies `count` before the one that begins with `start`."""
    if period == "weekly":
        return start - timedelta(days=DAYS_A_WEEK * count)
    return _clamped(start.year, start.month - count, starts_on)


@lru_cache(maxsize=4096)
def plan_index(day: date, every: PlanPeriod) -> int:
    """Return the number of the plan period that holds `day`; consecutive periods have consecutive numbers."""
    if every == "day":
        return day.toordinal()
    if every == "week":
        return (day.toordinal() - 1) // DAYS_A_WEEK
    return day.year * 12 + day.month - 1


@lru_cache(maxsize=4096)
def plan_period_end(index: int, every: PlanPeriod) -> date:
    """Return the first day after the plan period of this number."""
    if every == "day":
        return date.fromordinal(index + 1)
    if every == "week":
        return date.fromordinal((index + 1) * DAYS_A_WEEK + 1)
    return date((index + 1) // 12, (index + 1) % 12 + 1, 1)


@lru_cache(maxsize=4096)
def plan_period_last(index: int, every: PlanPeriod) -> date:
    """Return the last day of the plan period of this number."""
    return plan_period_end(index, every) - timedelta(days=1)


def month_index(day: date) -> int:
    """Return the number of the calendar month that holds `day`."""
    return day.year * 12 + day.month - 1
