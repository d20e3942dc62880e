"""Weekly summaries: one a week, a year of them, none for who does nothing, and an idle person's timer ends."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import DepositToJar, MakeSummary, RecordTransaction, UpdateProfile
from engine.planning.queries_planning import GetSummaries
from engine.planning.saved_weeks import SUMMARIES_KEPT, WEEKS_KEPT, Summaries
from tests.support.person import BEHAVIOUR, Person, replayed

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def buy(person: Person, at: datetime, amount: int = 1_000, category: str = "food") -> None:
    person.wait(at)
    report = RecordTransaction(
        external_id=f"E{person.seq}", source="upi", amount=amount, currency="INR", category=category
    )
    person.do(report, at)


def listed(person: Person, at: datetime) -> list[Any]:
    items: list[Any] = person.ask(GetSummaries(limit=500), at)["items"]
    return items


def test_a_year_of_them_is_kept_and_the_state_stays_small() -> None:
    person = Person(at=AT)
    for week in range(SUMMARIES_KEPT + 5):
        for number in range(10):
            buy(person, AT + timedelta(days=7 * week), 1_000 + number, f"category_{number}")
    kept = listed(person, AT + timedelta(days=7 * (SUMMARIES_KEPT + 5)))
    assert len(kept) == SUMMARIES_KEPT
    assert [one["period_start"] for one in kept] == sorted((one["period_start"] for one in kept), reverse=True)
    assert len(b"".join(person.state.summaries.made)) < 100_000
    assert replayed(person.bodies) == person.state
    assert replayed(person.bodies, snapshot_at=100) == person.state


def test_an_idle_person_is_woken_three_times_and_then_left_asleep() -> None:
    person = Person(at=AT)
    buy(person, AT)
    fired = person.wait(AT + timedelta(days=365))
    assert len([turn for turn in fired if any(type(e).__name__.startswith("Summary") for e in turn.events)]) == 3
    assert "summary" not in person.timers


def test_a_timer_that_comes_twice_makes_no_second_summary() -> None:
    person = Person(at=AT)
    buy(person, AT)
    monday = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
    assert len(person.wait(monday)) == 1
    again = person.do(MakeSummary(), monday)
    assert [type(event).__name__ for event in again.events] == ["SummaryPlanned", "TimerSet"]
    assert len(listed(person, monday)) == 1
    assert BEHAVIOUR.push(again) == b"[]"


def test_the_socket_shows_the_summary_whole_and_then_its_alert() -> None:
    person = Person(at=AT)
    buy(person, AT)
    (turn,) = person.wait(datetime(2026, 11, 23, 2, 30, tzinfo=UTC))
    frames = msgspec.json.decode(BEHAVIOUR.push(turn))
    assert [frame["type"] for frame in frames] == ["summary_made", "summary"]
    assert frames[0]["data"] == listed(person, AT)[0]
    assert frames[1]["data"]["data"]["summary"] == frames[0]["data"]


ZONES = st.sampled_from(
    ["Asia/Kolkata", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/London"]
)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.tuples(st.integers(0, 300), st.one_of(st.none(), ZONES)), max_size=20))
def test_no_week_is_told_twice_and_none_before_it_is_over_wherever_one_travels(
    steps: list[tuple[int, str | None]],
) -> None:
    person, at = Person(at=AT), AT
    for hours, zone in steps:
        at += timedelta(hours=hours)
        if zone is None:
            buy(person, at)
        else:
            person.wait(at)
            person.do(UpdateProfile(time_zone=zone), at)
    at += timedelta(days=30)
    person.wait(at)
    weeks = [date.fromisoformat(one["period_start"]) for one in reversed(listed(person, at))]
    assert all(later > earlier for earlier, later in pairwise(weeks))
    assert all(week.weekday() == 0 for week in weeks)
    for one in listed(person, at):
        told = datetime.fromisoformat(one["at"])
        assert told >= datetime.fromisoformat(one["period_end"] + "T00:00:00+14:00")


def test_what_was_saved_is_kept_by_week_and_the_old_is_not_counted() -> None:
    saved, monday = Summaries(), date(2026, 11, 16)
    for back in range(10):
        saved.add(monday - timedelta(days=7 * back), "jar", 100)
    assert len(saved.saved) == WEEKS_KEPT
    saved.add(monday + timedelta(days=6), "jar", 50)
    saved.add(monday + timedelta(days=7), "jar", 7)
    assert saved.saved_in(monday) == {"jar": 150}
    assert len(saved.saved) == WEEKS_KEPT


def test_a_deposit_is_saved_in_its_week() -> None:
    person = Person(at=AT)
    person.do(DepositToJar(jar_id=person.jar_id("Savings"), amount=500), AT)
    assert person.state.summaries.saved_in(date(2026, 11, 16)) == {person.jar_id("Savings"): 500}
