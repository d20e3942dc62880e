"""Schedules over a long time: one date is open at a time, each payment and each date is used once, all stays small."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.behaviour import Refused
from engine.commands import (
    CheckRecurring,
    CreateRecurring,
    DeleteRecurring,
    EditRecurring,
    RecordTransaction,
    RemindRecurring,
    UpdateProfile,
)
from engine.planning import recurring_match
from engine.planning.recurring import AHEAD_DAYS, DATES_KEPT, SCHEDULES_MAX
from tests.support.person import BEHAVIOUR, Person, replayed

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def schedule(person: Person, name: str = "Rent", rrule: str = "FREQ=MONTHLY;BYMONTHDAY=5", amount: int = 10_000) -> str:
    turn = person.do(
        CreateRecurring(
            name=name, amount=amount, direction="debit", category="rent", rrule=rrule, starts_on=date(2026, 11, 1)
        ),
        AT,
    )
    recurring_id: str = turn.events[0].recurring_id
    return recurring_id


@settings(deadline=None, max_examples=60)
@given(
    rules=st.lists(
        st.sampled_from(
            ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYMONTHDAY=5,6"]
        ),
        min_size=1,
        max_size=3,
    ),
    payments=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(9_000, 12_000)), max_size=25),
)
def test_each_payment_and_each_date_is_used_once_whatever_comes(
    rules: list[str], payments: list[tuple[int, int, int]]
) -> None:
    person = Person(at=AT)
    ids = [schedule(person, f"Rent {number}", rule) for number, rule in enumerate(rules)]
    at, taken = AT, []
    for number, (wait, late, amount) in enumerate(payments):
        at += timedelta(days=wait)
        person.wait(at)
        report = RecordTransaction(
            external_id=str(number),
            source="upi",
            amount=amount,
            currency="INR",
            category="rent",
            merchant="Rent",
            occurred_at=at - timedelta(days=late),
        )
        turn = person.do(report, at)
        taken += [e.transaction_id for e in turn.events if type(e).__name__ == "RecurringMatched"]
    assert len(taken) == len(set(taken))
    for recurring_id in ids:
        one = person.state.recurring[recurring_id]
        assert [known.state for known in one.dates[:-1]].count("due") == 0
        assert len(one.dates) <= DATES_KEPT
        assert len(one.then) <= AHEAD_DAYS
        days = [known.due_on for known in one.dates]
        assert days == sorted(set(days))
        waiting = one.open
        assert waiting is not None
        assert waiting.due_on + timedelta(days=waiting.window + 1) >= person.state.profile.today(at)
    assert replayed(person.bodies) == person.state
    assert replayed(person.bodies, snapshot_at=2) == person.state


def test_a_shard_that_slept_for_months_flags_once_and_goes_on_from_today() -> None:
    person = Person(at=AT)
    one = person.state.recurring[schedule(person, rrule="FREQ=DAILY")]
    late = AT + timedelta(days=100)
    turn = person.do(CheckRecurring(recurring_id=one.recurring_id, due_on=date(2026, 11, 20)), late)
    assert [type(event).__name__ for event in turn.events].count("RecurringMissed") == 1
    one = person.state.recurring[one.recurring_id]
    assert one.open is not None
    assert one.open.due_on == date(2027, 2, 28)


def test_a_timer_that_comes_when_there_is_nothing_to_do_is_an_empty_turn() -> None:
    person = Person(at=AT)
    recurring_id = schedule(person)
    for command in (
        RemindRecurring(recurring_id="gone", due_on=date(2026, 12, 5)),
        CheckRecurring(recurring_id="gone", due_on=date(2026, 12, 5)),
        RemindRecurring(recurring_id=recurring_id, due_on=date(2026, 11, 5)),
        CheckRecurring(recurring_id=recurring_id, due_on=date(2026, 11, 5)),
    ):
        assert person.do(command, AT).events == []
        assert BEHAVIOUR.answer(person.turns[-1])


def test_who_moved_west_gets_the_whole_grace() -> None:
    """The timer was set for the morning of the old zone, where the day begins earlier."""
    person = Person(at=AT)
    schedule(person, rrule="FREQ=DAILY")
    person.do(UpdateProfile(time_zone="Pacific/Pago_Pago"), AT)
    fired = person.wait(datetime(2026, 11, 21, 5, tzinfo=UTC))
    names = [type(event).__name__ for turn in fired for event in turn.events]
    assert names == ["TimerSet"]
    fired = person.wait(datetime(2026, 11, 21, 21, tzinfo=UTC))
    assert "RecurringMissed" in [type(event).__name__ for turn in fired for event in turn.events]


def test_schedules_are_bounded_and_the_refusal_says_the_way_out() -> None:
    person = Person(at=AT)
    for number in range(SCHEDULES_MAX):
        schedule(person, f"Number {number}")
    with pytest.raises(Refused, match="at most 50 schedules; delete one first"):
        schedule(person)
    person.do(DeleteRecurring(recurring_id=next(iter(person.state.recurring))), AT)
    schedule(person)


def test_a_deleted_schedule_leaves_no_timer() -> None:
    person = Person(at=AT)
    recurring_id = schedule(person)
    assert len(person.timers) == 2
    person.do(DeleteRecurring(recurring_id=recurring_id), AT)
    assert person.timers == {}


def test_a_new_reminder_replaces_the_old_one() -> None:
    person = Person(at=AT)
    recurring_id = schedule(person)
    person.do(EditRecurring(recurring_id=recurring_id, remind_days_before=None), AT)
    assert list(person.timers) == [f"recurring:{recurring_id}:check"]
    person.do(EditRecurring(recurring_id=recurring_id, remind_days_before=3), AT)
    assert person.timers[f"recurring:{recurring_id}:remind"].due == datetime(2026, 12, 2, 3, 30, tzinfo=UTC)
    assert person.state.recurring[recurring_id].dates[-1].due_on == date(2026, 12, 5)


def test_the_currency_is_fixed_by_a_schedule() -> None:
    person = Person(at=AT)
    schedule(person)
    with pytest.raises(Refused, match="remove them first"):
        person.do(UpdateProfile(currency="USD"), AT)


@pytest.mark.parametrize(
    ("name", "said", "agrees"),
    [
        ("Netflix", "NETFLIX.COM/MUMBAI", True),
        ("Netflix", "NETFLIXCOM 4029357733", True),
        ("Gold gym", "GOLD'S GYM ANDHERI", True),
        ("किराया", "मकान किराया दिसंबर", True),
        ("Bill payment", "BILL PAYMENT TO AIRTEL", False),
        ("Rent", "Parent teacher fund", False),
        ("SIP", "UPI/SIP/HDFC", True),
    ],
)
def test_names_agree_by_a_word_that_tells(name: str, said: str, agrees: bool) -> None:
    assert recurring_match.agrees(recurring_match.words(name), recurring_match.words(said)) is agrees


def test_a_payment_that_is_voided_opens_its_date_again() -> None:
    person = Person(at=AT)
    recurring_id = schedule(person)
    due = datetime(2026, 12, 4, 6, tzinfo=UTC)

    def report(status: str) -> RecordTransaction:
        return RecordTransaction(
            external_id="T1",
            source="upi",
            amount=10_000,
            currency="INR",
            merchant="Rent",
            status=status,  # type: ignore[arg-type]
        )

    person.do(report("authorised"), due)
    assert person.state.recurring[recurring_id].dates[0].state == "matched"
    person.do(report("voided"), due)
    assert person.state.recurring[recurring_id].dates[0].state == "missed"
    again = person.do(
        RecordTransaction(external_id="T2", source="upi", amount=10_000, currency="INR", merchant="Rent"), due
    )
    assert "RecurringMatched" in [type(event).__name__ for event in again.events]


def test_a_schedule_made_on_the_day_of_a_move_east_is_looked_at_again_after_a_look_that_came_too_early() -> None:
    """09:00 over there is still yesterday here: the look must not be set for the moment it just had."""
    person = Person(at=AT)
    person.do(UpdateProfile(time_zone="America/New_York"), AT)
    paid = RecordTransaction(external_id="1", source="upi", amount=5, currency="INR", occurred_at=AT)
    person.do(paid, AT)
    person.do(UpdateProfile(time_zone="Asia/Kolkata"), AT + timedelta(hours=8))
    rent = schedule(person, rrule="FREQ=DAILY")
    dues = []
    for _ in range(4):
        [look] = [timer for timer in person.timers.values() if timer.timer_id == f"recurring:{rent}:check"]
        dues.append(look.due)
        assert look.body is not None
        del person.timers[look.timer_id]
        person.do(BEHAVIOUR.decode_command(look.body), look.due)
    assert dues == sorted(set(dues))
    assert [known.state for known in person.state.recurring[rent].dates][:2] == ["missed", "missed"]
