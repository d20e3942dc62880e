"""Dates as a person reads them, in alerts."""

from datetime import date, datetime

from engine import periods

_MONTHS = "January February March April May June July August September October November December".split()


def day(one: date) -> str:
    """Return `1 March 2027`."""
    return f"{one.day} {_MONTHS[one.month - 1]} {one.year}"


def moment(at: datetime, zone_name: str) -> str:
    """Return `14:30 on 1 March 2027`, where the person lives."""
    local = at.astimezone(periods.zone(zone_name))
    return f"{local:%H:%M} on {day(local.date())}"
