"""UPI AutoPay in time: notices, windows, jitter, and what is sent to whom."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as c
from engine import ledger
from engine.behaviour import Refused
from engine.events import DebitPutOff, DebitSubmitted
from engine.settlement import autopay
from tests.support.person import Person

IST = timezone(timedelta(hours=5, minutes=30))
AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
PEAKS = ((9 * 60 + 45, 13 * 60 + 5), (16 * 60 + 55, 21 * 60 + 35), (23 * 60 + 55, 24 * 60))


def minute_of(at: datetime) -> int:
    local = at.astimezone(IST)
    return local.hour * 60 + local.minute


@given(at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), seed=st.text(max_size=9))
def test_an_execution_is_never_early_never_at_a_peak_and_never_much_later(at: datetime, seed: str) -> None:
    due = autopay.off_peak(at, seed)
    assert due >= at
    assert not any(begin <= minute_of(due) < end for begin, end in PEAKS)
    assert due - at <= timedelta(hours=5, minutes=15)
    again = autopay.after_window(due, seed)
    assert again > due
    assert not any(begin <= minute_of(again) < end for begin, end in PEAKS)


@pytest.mark.parametrize(
    ("at", "earliest"),
    [
        ("2026-11-21T09:00:00", "2026-11-21T09:00:00"),
        ("2026-11-21T10:00:00", "2026-11-21T13:05:00"),
        ("2026-11-21T17:00:00", "2026-11-21T21:35:00"),
        ("2026-11-21T23:56:00", "2026-11-22T00:00:00"),
        ("2026-12-31T23:59:00", "2027-01-01T00:00:00"),
    ],
)
def test_a_peak_is_waited_out(at: str, earliest: str) -> None:
    asked, begin = (datetime.fromisoformat(text).replace(tzinfo=IST) for text in (at, earliest))
    assert begin <= autopay.off_peak(asked, "seed") < begin + timedelta(minutes=15)


def test_two_debits_of_one_moment_are_spread() -> None:
    at = datetime(2026, 11, 21, 0, 30, tzinfo=IST)
    assert len({autopay.off_peak(at, f"debit-{number}") for number in range(50)}) > 40


def under_mandate() -> Person:
    person = Person(at=AT)
    person.do(c.SetMandate(provider="razorpay", cap=20_000_00), AT)
    challenge_id = person.answer()["challenge_id"]
    proof = person.outside.digest(challenge_id, person.outside.codes[-1])
    person.do(c.Confirm(challenge_id=challenge_id, proof=proof, action="apply_mandate"), AT)
    person.outbox.clear()
    return person


def sent(person: Person) -> list[tuple[str, str]]:
    """Return (channel, template or attempt) of what was sent."""
    found = []
    for row in person.outbox:
        body = msgspec.msgpack.decode(row.body)
        found.append((row.channel, str(body.get("template", body.get("attempt")))))
    return found


def test_the_host_hears_of_a_debit_a_day_after_the_person_does() -> None:
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    assert sent(person) == [("notify", "pre_debit")]
    (waiting,) = person.state.settlement.open.values()
    assert waiting.due is not None
    assert waiting.due - AT >= timedelta(hours=24)
    assert person.wait(waiting.due - timedelta(seconds=1)) == []
    (turn,) = person.wait(waiting.due)
    assert isinstance(turn.events[0], DebitSubmitted)
    assert sent(person) == [("notify", "pre_debit"), ("instruction", "1")]
    person.do(c.ReportResult(instruction_id=waiting.instruction_id, status="done", reference="U1"), waiting.due)
    assert sent(person)[2:] == [("notify", "post_debit")]
    assert not [timer for timer in person.timers if timer.startswith("debit:")]


def test_four_attempts_in_four_windows_and_no_fifth() -> None:
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    (waiting,) = person.state.settlement.open.values()
    at, attempts, windows = AT, 0, set()
    while timer := person.timers.get(f"debit:{waiting.instruction_id}"):
        at = timer.due
        (turn,) = [turn for turn in person.wait(at) if isinstance(turn.events[0], DebitSubmitted)]
        assert turn.at == at
        attempts += 1
        windows.add((at.astimezone(IST).date(), minute_of(at) // 240))
        report = c.ReportResult(instruction_id=waiting.instruction_id, status="failed", reason="insufficient_funds")
        person.do(report, at + timedelta(minutes=1))
    assert (attempts, len(windows)) == (4, 4)
    assert person.state.settlement.finished[waiting.instruction_id].attempt == 4
    assert [row.outbox_id.rpartition(":")[2] for row in person.outbox if row.channel == "instruction"] == list("1234")
    assert at - AT < timedelta(hours=60)


def test_what_was_put_off_says_when_it_is_tried_next() -> None:
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    (waiting,) = person.state.settlement.open.values()
    assert waiting.due is not None
    person.wait(waiting.due)
    turn = person.do(c.ReportResult(instruction_id=waiting.instruction_id, status="failed"), waiting.due)
    (event,) = [event for event in turn.events if isinstance(event, DebitPutOff)]
    assert event.instruction.due == person.timers[f"debit:{waiting.instruction_id}"].due
    assert person.answer()["due"] is not None


def test_what_comes_back_while_another_debit_waits_is_planned_when_sweeps_go_on() -> None:
    """Found by the machine: two debits waited when the mandate came; the deposit after one failed was left waiting."""
    person = Person(at=AT)
    jar = person.jar_id("Savings")
    for _ in range(2):
        person.do(c.DepositToJar(jar_id=jar, amount=1), AT)
    person.do(c.SetMandate(provider="razorpay", cap=700), AT)
    challenge_id = person.answer()["challenge_id"]
    proof = person.outside.digest(challenge_id, person.outside.codes[-1])
    person.do(c.Confirm(challenge_id=challenge_id, proof=proof, action="apply_mandate"), AT)
    first = next(iter(person.state.settlement.open))
    person.do(c.ReportResult(instruction_id=first, status="failed"), AT)
    person.do(c.DepositToJar(jar_id=jar, amount=1), AT)
    assert person.timers["sweep"].due == AT + timedelta(days=7)


def test_a_cap_lowered_after_the_notice_stops_the_debit_that_is_above_it() -> None:
    """Found by review: what was announced under a higher cap was executed all the same."""
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    (waiting,) = person.state.settlement.open.values()
    person.do(c.SetMandate(provider="razorpay", cap=49_999), AT)
    assert waiting.due is not None
    person.wait(waiting.due)
    assert person.state.settlement.finished[waiting.instruction_id].reason == "over_cap"
    assert [channel for channel, _ in sent(person)].count("instruction") == 0
    assert person.timers["sweep"].due == waiting.due + timedelta(days=7)
    assert "more than the cap" in person.overview(waiting.due)["alerts"][0]["message"]


def test_a_mandate_fixes_the_home_currency() -> None:
    """Found by review: dollars would have been debited under a mandate in rupees."""
    with pytest.raises(Refused, match="mandate"):
        under_mandate().do(c.UpdateProfile(currency="USD"), AT)


def test_a_debit_nobody_answers_for_is_not_asked_for_again() -> None:
    """The money may have moved: a second debit would take it twice."""
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    person.wait(AT + timedelta(days=60))
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT + timedelta(days=60))
    person.wait(AT + timedelta(days=120))
    assert [row.outbox_id.rpartition(":")[2] for row in person.outbox if row.channel == "instruction"] == ["1"]
    (waiting,) = person.state.settlement.open.values()
    assert (waiting.submitted, waiting.attempt) == (True, 1)


def failed(person: Person, instruction_id: str, at: datetime, attempt: int | None) -> None:
    person.do(c.ReportResult(instruction_id=instruction_id, status="failed", attempt=attempt), at)


@pytest.mark.parametrize("tried", [2, 4])
def test_a_late_copy_of_a_failure_neither_repeats_nor_ends_the_attempt_after_it(tried: int) -> None:
    """Found by review: it was taken for the failure of the attempt under way, whose money may still move."""
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    (one,) = person.state.settlement.open
    timer, at = f"debit:{one}", AT
    for attempt in range(1, tried + 1):
        at = person.timers[timer].due
        person.wait(at)
        if attempt < tried:
            failed(person, one, at, attempt)
    failed(person, one, at, 1)
    failed(person, one, at, tried - 1)
    assert (person.answer()["status"], person.answer()["attempt"], person.answer()["ready"]) == ("open", tried, True)
    assert timer not in person.timers
    with pytest.raises(Refused, match="not asked for"):
        failed(person, one, at, tried + 1)
    person.do(c.ReportResult(instruction_id=one, status="done", attempt=tried), at)
    failed(person, one, at, 1)
    assert person.answer()["status"] == "done"


def test_a_late_success_of_an_earlier_attempt_is_taken() -> None:
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    (one,) = person.state.settlement.open
    at = person.timers[f"debit:{one}"].due
    person.wait(at)
    failed(person, one, at, 1)
    person.wait(person.timers[f"debit:{one}"].due)
    person.do(c.ReportResult(instruction_id=one, status="done", attempt=1), at)
    assert person.state.settlement.finished[one].status == "done"


@pytest.mark.parametrize("end", ["timer", "opt out", "no mandate"])
def test_full_books_keep_no_debit_from_being_called_off(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by review: its timer was refused and gone, the debit stayed for ever, and no other could be asked for."""
    person = under_mandate()
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=50_000), AT)
    (one,) = person.state.settlement.open.values()
    person.do(c.SetMandate(provider="razorpay", cap=40_000), AT)
    monkeypatch.setattr(ledger, "ACCOUNTS_MAX", 1)
    if end == "timer":
        assert one.due is not None
        person.wait(one.due)
    elif end == "opt out":
        person.do(c.OptOut(instruction_id=one.instruction_id), AT)
    else:
        person.do(c.EndMandate(mandate_id=str(one.mandate_id)), AT)
    assert not person.state.settlement.open
