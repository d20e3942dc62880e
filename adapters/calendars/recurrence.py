"""Dates of an RFC 5545 recurrence rule, by python-dateutil, with strict limits around it.

Only dates: no time of day, no zone. What is taken: FREQ (DAILY to YEARLY), INTERVAL, COUNT or UNTIL, WKST; BYDAY but
for DAILY, BYMONTHDAY and BYSETPOS for MONTHLY and YEARLY, BYMONTH for YEARLY. As in the RFC a day that a month does not
have (BYMONTHDAY=31 in April) is no date at all; the last day of each month is BYMONTHDAY=-1. The start is a date of the
rule only where the rule falls on it.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice

from dateutil.rrule import rrulestr

RULE_LENGTH_MAX = 200
COUNT_MAX = 1_000
HORIZON = timedelta(days=3_660)
"""A rule without a date in ten years has none: it bounds what a rule that never falls can cost."""
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_GOES_WITH: dict[str, tuple[str, ...]] = {
    "DAILY": (),
    "WEEKLY": ("BYDAY",),
    "MONTHLY": ("BYDAY", "BYMONTHDAY", "BYSETPOS"),
    "YEARLY": ("BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"),
}
_INTERVAL_MAX = {"DAILY": 366, "WEEKLY": 104, "MONTHLY": 60, "YEARLY": 5}


def occurrences(rule: str, starts_on: date, after: date, count: int) -> list[date]:
    """Return the first `count` dates of a rule after a day, fewer when it ends. Raises `ValueError` on a bad rule."""
    return list(_dates(rule, starts_on, after, count))


@lru_cache(maxsize=1_024)
def _dates(rule: str, starts_on: date, after: date, count: int) -> tuple[date, ...]:
    parts = parse(rule)
    until = max(after, starts_on) + HORIZON
    if "UNTIL" in parts:
        until = min(until, datetime.strptime(parts["UNTIL"], "%Y%m%d").date())
    plain = ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("COUNT", "UNTIL"))
    first = datetime(starts_on.year, starts_on.month, starts_on.day)
    falls = rrulestr(f"{plain};UNTIL={until:%Y%m%d}", dtstart=first)
    days = (moment.date() for moment in islice(falls, int(parts.get("COUNT", 0)) or None))
    return tuple(islice((day for day in days if day > after), count))


def parse(rule: str) -> dict[str, str]:
    """Return the parts of a rule by name, in upper case; raises `ValueError` that names what is wrong with it."""
    if len(rule) > RULE_LENGTH_MAX:
        raise ValueError(f"is {len(rule)} characters long; at most {RULE_LENGTH_MAX} are taken")
    parts: dict[str, str] = {}
    for part in rule.upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        check = _PARTS.get(name)
        if not equals or check is None:
            raise ValueError(f"{part!r} is no part of a rule here; {', '.join(_PARTS)} are taken")
        if name in parts:
            raise ValueError(f"{name} is there twice")
        if not check(value):
            raise ValueError(f"{part!r} is out of range or not written as RFC 5545 says")
        parts[name] = value
    _check_together(parts)
    return parts


def _check_together(parts: dict[str, str]) -> None:
    frequency = parts.get("FREQ")
    if frequency is None:
        raise ValueError("needs FREQ, for example FREQ=MONTHLY;BYMONTHDAY=5")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other")
    if int(parts.get("INTERVAL", 1)) > _INTERVAL_MAX[frequency]:
        raise ValueError(f"INTERVAL is at most {_INTERVAL_MAX[frequency]} for {frequency}")
    strange = sorted(name for name in parts if name.startswith("BY") and name not in _GOES_WITH[frequency])
    if strange:
        raise ValueError(f"{strange[0]} does not go with {frequency}")
    if frequency == "WEEKLY" and re.search(r"\d", parts.get("BYDAY", "")):
        raise ValueError("a number before a day (1MO) does not go with WEEKLY")
    if "BYSETPOS" in parts:
        _check_positions(parts)
    if "BYMONTH" in parts and "BYMONTHDAY" in parts:
        months, days = _values(parts["BYMONTH"]), _values(parts["BYMONTHDAY"])
        if not any(abs(day) <= monthrange(2028, month)[1] for month in months for day in days):
            raise ValueError("names a day that its months never have")


def _check_positions(parts: dict[str, str]) -> None:
    """Refuse positions that no month can fill: the library would look for them until the year 9999."""
    days, dates = parts.get("BYDAY"), parts.get("BYMONTHDAY")
    if (days is None) == (dates is None) or (days is not None and re.search(r"\d", days)):
        raise ValueError("BYSETPOS chooses from BYDAY without numbers, or from BYMONTHDAY")
    room = 5 * len(days.split(",")) if days is not None else len((dates or "").split(","))
    if any(abs(position) > room for position in _values(parts["BYSETPOS"])):
        raise ValueError(f"BYSETPOS is at most {room} here")


def _values(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _numbers(low: int, high: int, *, signed: bool = False) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        found = re.fullmatch(r"[+-]?[0-9]{1,3}(,[+-]?[0-9]{1,3})*" if signed else r"[0-9]{1,3}(,[0-9]{1,3})*", value)
        return found is not None and all(low <= abs(int(number)) <= high for number in value.split(","))

    return check


def _number(high: int) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(r"[0-9]{1,4}", value) is not None and 1 <= int(value) <= high


def _is_date(value: str) -> bool:
    if re.fullmatch(r"[0-9]{8}", value) is None:
        return False
    try:
        datetime.strptime(value, "%Y%m%d")
    except ValueError:
        return False
    return True


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


_DAY = "(MO|TU|WE|TH|FR|SA|SU)"
_NTH_DAY = f"([+-]?[1-5])?{_DAY}"
_PARTS: dict[str, Callable[[str], bool]] = {
    "FREQ": lambda value: value in _FREQUENCIES,
    "INTERVAL": _number(366),
    "COUNT": _number(COUNT_MAX),
    "UNTIL": _is_date,
    "BYDAY": _matches(f"{_NTH_DAY}(,{_NTH_DAY}){{0,20}}"),
    "BYMONTHDAY": _numbers(1, 31, signed=True),
    "BYMONTH": _numbers(1, 12),
    "BYSETPOS": _numbers(1, 366, signed=True),
    "WKST": _matches(_DAY),
}
