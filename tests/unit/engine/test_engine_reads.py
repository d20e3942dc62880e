"""Reads, pages, alerts a day, and dates: what the vectors do not reach."""

from datetime import UTC, date, datetime, timedelta

import pytest

from engine import commands as c
from engine import periods
from engine.behaviour import FieldError, Refused, invalid
from engine.ledger import VOLUME_MAX, Ledger, Unbalanced, transfer
from engine.money import known, minor_per_major
from engine.queries import GetBudgets, GetJar, GetJars, GetOverview, GetStreaks
from tests.support.person import BEHAVIOUR, Person

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def purchase(amount: int, category: str = "food") -> c.RecordTransaction:
    external_id = f"E{amount}-{category}"
    return c.RecordTransaction(external_id=external_id, source="upi", amount=amount, currency="INR", category=category)


def test_a_fourth_notification_of_a_day_goes_to_the_digest_and_a_critical_one_does_not() -> None:
    person = Person(c.OpenUser(auto_saving="off"), AT)
    for category in ("a", "b", "c", "d"):
        person.do(c.SetBudget(category=category, limit=1_000), AT)
        person.do(purchase(700, category), AT)
    person.do(purchase(301, "a"), AT)
    told = [(alert["type"], alert["data"]["delivery"]) for alert in reversed(person.overview(AT)["alerts"])]
    threshold = "budget_threshold"
    assert told == [(threshold, "now")] * 3 + [(threshold, "digest"), ("budget_exceeded", "now")]
    tomorrow = AT + timedelta(days=1)
    person.do(purchase(200, "b"), tomorrow)
    assert person.answer()["alerts"][0]["data"]["delivery"] == "now"


def test_the_overview_keeps_the_last_ten_alerts_newest_first() -> None:
    person = Person(c.OpenUser(auto_saving="off"), AT)
    for number in range(12):
        person.do(c.SetBudget(category=f"c{number}", limit=1_000), AT)
        person.do(purchase(1_001, f"c{number}"), AT)
    shown = [alert["category"] for alert in person.overview(AT)["alerts"]]
    assert shown == [f"c{number}" for number in range(11, 1, -1)]


def test_jars_come_in_pages_newest_first() -> None:
    person = Person(at=AT)
    for number in range(3):
        person.do(c.CreateJar(name=f"J{number}"), AT + timedelta(minutes=number))
    first = person.ask(GetJars(limit=2), AT)
    assert [jar["name"] for jar in first["items"]] == ["J2", "J1"]
    second = person.ask(GetJars(limit=2, cursor=first["next_cursor"]), AT)
    assert [jar["name"] for jar in second["items"]] == ["J0", "Savings"]
    assert second["next_cursor"] is None


def test_a_page_that_ends_with_the_list_has_no_next() -> None:
    person = Person(at=AT)
    assert person.ask(GetJars(limit=1), AT)["next_cursor"] is None
    assert person.ask(GetBudgets(limit=1), AT) == {"items": [], "next_cursor": None}


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Refused, match="cursor"):
        Person(at=AT).ask(GetJars(cursor="elsewhere"), AT)


def test_a_jar_that_is_not_there_is_not_found() -> None:
    with pytest.raises(Refused) as caught:
        Person(at=AT).ask(GetJar(jar_id="nobody's"), AT)
    assert caught.value.code == "not_found"


def test_nothing_but_opening_is_taken_before_a_user_is_open() -> None:
    stranger = Person()
    with pytest.raises(Refused) as of_command:
        stranger.do(purchase(1), AT)
    with pytest.raises(Refused) as of_query:
        stranger.ask(GetOverview(), AT)
    assert (of_command.value.code, of_query.value.code) == ("not_found", "not_found")


def test_an_unopened_user_is_opened_with_the_defaults_and_an_open_one_is_not() -> None:
    defaults = c.OpenUser()
    assert BEHAVIOUR.opening(Person().state, defaults) is defaults
    assert BEHAVIOUR.opening(Person(at=AT).state, defaults) is None


def test_a_jar_with_a_plan_has_a_streak_of_its_own() -> None:
    person = Person(at=AT)
    person.do(c.CreateJar(name="Goa", plan=c.Plan(every="day", amount=200)), AT)
    goa = person.jar_id("Goa")
    person.do(c.DepositToJar(jar_id=goa, amount=200), AT)
    person.do(c.DepositToJar(jar_id=goa, amount=199), AT + timedelta(days=1))
    own, of_jar = person.ask(GetStreaks(), AT + timedelta(days=1))["items"]
    assert (own["unit"], own["jar_id"], own["current"]) == ("week", None, 1)
    assert (of_jar["unit"], of_jar["jar_id"], of_jar["current"], of_jar["state"]) == ("day", goa, 1, "open")
    person.do(c.EditJar(jar_id=goa, plan=None), AT)
    assert len(person.ask(GetStreaks(), AT)["items"]) == 1


def test_a_user_has_at_most_a_hundred_jars_and_a_hundred_budgets() -> None:
    person = Person(at=AT)
    for number in range(99):
        person.do(c.CreateJar(name=f"J{number}"), AT)
        person.do(c.SetBudget(category=f"c{number}", limit=1), AT)
    person.do(c.SetBudget(category="last", limit=1), AT)
    with pytest.raises(Refused, match="at most 100 jars"):
        person.do(c.CreateJar(name="one more"), AT)
    with pytest.raises(Refused, match="at most 100 budgets"):
        person.do(c.SetBudget(category="more", limit=1), AT)
    person.do(c.SetBudget(category="last", limit=2), AT)


def test_an_edit_of_a_transaction_that_is_not_there_is_not_found() -> None:
    with pytest.raises(Refused) as caught:
        Person(at=AT).do(c.EditTransaction(transaction_id="T", note="x"), AT)
    assert caught.value.code == "not_found"


def test_an_edited_note_keeps_the_category_and_who_said_it() -> None:
    person = Person(at=AT)
    recorded = person.do(purchase(100), AT).events[0]
    person.do(c.EditTransaction(transaction_id=recorded.transaction_id, note="lunch", description=None), AT)
    assert {k: person.answer()[k] for k in ("note", "category", "category_by")} == {
        "note": "lunch",
        "category": "food",
        "category_by": "source",
    }


def test_a_refusal_names_its_field() -> None:
    refused = invalid("amount", "is bad")
    assert (refused.code, refused.errors) == ("invalid", (FieldError("amount", "is bad"),))


def test_postings_that_do_not_balance_change_nothing() -> None:
    ledger = Ledger()
    with pytest.raises(Unbalanced):
        ledger.post([*transfer("a", "b", 5, "INR"), *transfer("a", "b", 5, "USD")[:1]])
    assert ledger == Ledger()


def test_the_volume_of_one_currency_does_not_limit_another() -> None:
    ledger = Ledger()
    ledger.post(transfer("a", "b", VOLUME_MAX, "INR"))
    ledger.check_room(transfer("a", "b", 1, "USD"))
    with pytest.raises(Refused, match="full"):
        ledger.check_room(transfer("a", "b", 1, "INR"))


@pytest.mark.parametrize(("currency", "scale"), [("INR", 100), ("JPY", 1), ("KWD", 1_000), ("CLF", 10_000)])
def test_a_currency_has_its_exponent(currency: str, scale: int) -> None:
    assert minor_per_major(currency) == scale


@pytest.mark.parametrize("code", ["XXX", "XAU", "inr", "", "HRK"])
def test_what_is_no_active_currency_is_unknown(code: str) -> None:
    assert not known(code)


@pytest.mark.parametrize(
    "name", ["", ".", "Asia", "../../etc/passwd", "a\x00b", "x" * 5_000, "posix/Asia/Kolkata", "right/UTC"]
)
def test_a_zone_is_a_place_of_the_iana_database(name: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        periods.zone(name)


@pytest.mark.parametrize(
    ("day", "zone", "instant"),
    [
        (date(2026, 11, 20), "Asia/Kolkata", datetime(2026, 11, 19, 18, 30, tzinfo=UTC)),
        (date(2026, 11, 1), "America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC)),
        (date(2026, 11, 2), "America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC)),
        (date(2018, 11, 4), "America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ],
)
def test_a_local_date_begins_at_its_midnight_or_where_the_clock_skips_it(
    day: date, zone: str, instant: datetime
) -> None:
    assert periods.local_midnight(day, zone) == instant
    assert periods.local_date(instant, zone) == day
    assert periods.local_date(instant - timedelta(seconds=1), zone) == day - timedelta(days=1)


@pytest.mark.parametrize("starts_on", [1, 15, 28, 29, 30, 31])
def test_monthly_periods_follow_each_other_without_gap_or_overlap(starts_on: int) -> None:
    day = date(2027, 1, 1)
    while day < date(2029, 1, 1):
        start, end = periods.budget_period(day, "monthly", starts_on)
        assert start <= day < end
        assert periods.budget_period(end, "monthly", starts_on)[0] == end
        day += timedelta(days=1)


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_plan_periods_are_numbered_in_a_row(every: c.PlanPeriod) -> None:
    day = date(2026, 12, 20)
    for _ in range(40):
        index = periods.plan_index(day, every)
        end = periods.plan_period_end(index, every)
        assert day < end
        assert periods.plan_index(end, every) == index + 1
        day += timedelta(days=1)
