"""RFC 5545 rules: the dates they name, and what is refused before the library sees it."""

from datetime import date

import pytest

from adapters.calendars.recurrence import occurrences, parse


def days(rule: str, starts_on: str, after: str, count: int = 4) -> list[str]:
    found = occurrences(rule, date.fromisoformat(starts_on), date.fromisoformat(after), count)
    return [day.isoformat()[2:] for day in found]


@pytest.mark.parametrize(
    ("rule", "starts_on", "after", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=5", "2026-11-01", "2026-11-20", ["26-12-05", "27-01-05", "27-02-05", "27-03-05"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-11-01", "2026-11-20", ["26-12-31", "27-01-31", "27-03-31", "27-05-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-11-01", "2026-11-20", ["26-11-30", "26-12-31", "27-01-31", "27-02-28"]),
        ("FREQ=MONTHLY", "2026-10-31", "2026-10-30", ["26-10-31", "26-12-31", "27-01-31", "27-03-31"]),
        (
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
            "2027-01-01",
            "2027-01-01",
            ["27-01-31", "27-02-28", "27-03-31", "27-04-30"],
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
            "2026-11-02",
            "2026-11-02",
            ["26-11-16", "26-11-30", "26-12-14", "26-12-28"],
        ),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-11-01", "2026-11-01", ["26-11-27", "26-12-25", "27-01-29", "27-02-26"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2026-11-01", "2026-11-01", ["28-02-29", "32-02-29", "36-02-29"]),
        ("FREQ=DAILY;COUNT=3", "2026-11-01", "2026-11-01", ["26-11-02", "26-11-03"]),
        ("FREQ=DAILY;UNTIL=20261103", "2026-11-01", "2026-11-01", ["26-11-02", "26-11-03"]),
        ("FREQ=DAILY;UNTIL=20261101", "2026-11-02", "2026-11-01", []),
        ("rrule:freq=daily;count=1", "2026-11-01", "2026-10-31", ["26-11-01"]),
        ("FREQ=MONTHLY;BYMONTHDAY=5", "2026-11-20", "2026-11-19", ["26-12-05", "27-01-05", "27-02-05", "27-03-05"]),
    ],
)
def test_dates_of_a_rule(rule: str, starts_on: str, after: str, expected: list[str]) -> None:
    assert days(rule, starts_on, after) == expected


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "no part of a rule"),
        ("BYMONTHDAY=5", "needs FREQ"),
        ("FREQ=HOURLY", "FREQ=HOURLY"),
        ("FREQ=SECONDLY;COUNT=3", "FREQ=SECONDLY"),
        ("FREQ=DAILY;BYHOUR=3", "BYHOUR=3"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is there twice"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "exclude each other"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0"),
        ("FREQ=DAILY;COUNT=1001", "COUNT=1001"),
        ("FREQ=DAILY;COUNT=-1", "COUNT=-1"),
        ("FREQ=DAILY;UNTIL=20270231", "UNTIL=20270231"),
        ("FREQ=DAILY;UNTIL=20270101T000000Z", "UNTIL=20270101T000000Z"),
        ("FREQ=YEARLY;INTERVAL=6", "INTERVAL is at most 5"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32"),
        ("FREQ=WEEKLY;BYMONTHDAY=5", "does not go with WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "does not go with WEEKLY"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY=6MO"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses from"),
        ("FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=2", "BYSETPOS chooses from"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "BYSETPOS is at most 5"),
        ("FREQ=MONTHLY;BYMONTHDAY=30,31;BYSETPOS=-3", "BYSETPOS is at most 2"),
        ("FREQ=DAILY;BYDAY=MO", "BYDAY does not go with DAILY"),
        ("FREQ=MONTHLY;BYMONTH=3", "BYMONTH does not go with MONTHLY"),
        ("FREQ=YEARLY;BYMONTH=2,4;BYMONTHDAY=31", "never have"),
        ("FREQ=DAILY\nDTSTART:20260101", "FREQ=DAILY"),
        ("FREQ=DAILY;" + "X" * 200, "at most 200"),
        ("FREQ=DAILY;BYMONTHDAY=١", "BYMONTHDAY"),
    ],
)
def test_what_is_refused_says_what_is_wrong(rule: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(rule)


def test_a_rule_that_never_falls_ends_by_itself() -> None:
    assert days("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30", "2026-02-01", "2026-02-01") == []
    assert days("FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;COUNT=3", "2027-01-01", "2027-01-01") == []
