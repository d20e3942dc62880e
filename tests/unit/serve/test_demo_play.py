"""The demo speaks the wire contract: against a double over real sockets."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from serve.client import Forbidden
from serve.demo import play as demo
from serve.demo.errors import DemoError, first_cause
from serve.demo.lines import Summary
from serve.demo.people import PEOPLE_MAX, people
from serve.demo.stream import DemoEvent, stream
from tests.support.demo_double import Double, serving

CROWD = people(2)


def events(count: int = 60, run_id: str = "r1") -> list[DemoEvent]:
    return stream(7, run_id, [person.key for person in CROWD], count)


async def played(double: Double, sent: Sequence[DemoEvent], run_id: str = "r1") -> Summary:
    async with serving(double) as url:
        return await demo.play(url, CROWD, sent, run_id, 0.0)


async def test_every_event_is_recorded_and_its_push_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    double, sent = Double(), events()
    summary = await played(double, sent)
    again = sum(event.resent for event in sent)
    assert (summary.sent, summary.recorded, summary.duplicates) == (60, 60 - again, again)
    assert (len(summary.push_ms), summary.missed_pushes, summary.refused) == (60 - again, 0, [])
    assert summary.saved == sum(jar["balance"] for ledger in double.users.values() for jar in ledger.jars)
    printed = capsys.readouterr().out
    assert "asha" in printed
    assert "send-push" in printed
    assert "\x1b[" not in printed


async def test_what_is_sent_again_is_the_same_bytes_and_counted_once() -> None:
    sent = stream(7, "r1", [person.key for person in CROWD], 400)
    assert any(event.resent for event in sent)
    summary = await played(Double(), sent)
    assert summary.duplicates == sum(event.resent for event in sent)
    assert summary.refused == []


async def test_a_dropped_socket_resumes_and_no_push_is_missed() -> None:
    double = Double(cut_at=5)
    summary = await played(double, events())
    assert double.resumed == [4]
    assert (summary.missed_pushes, summary.reconnects) == (0, 1)


async def test_a_heartbeat_ahead_makes_it_ask_for_the_rest_and_a_turn_sent_twice_counts_once() -> None:
    double = Double(lose_at=5)
    summary = await played(double, events())
    assert double.resumed == [4]
    assert (summary.missed_pushes, summary.reconnects) == (0, 0)


async def test_a_busy_server_is_asked_again() -> None:
    summary = await played(Double(busy=2), events(10))
    assert (summary.sent, summary.refused) == (10, [])


async def test_an_expiring_token_is_renewed_by_logging_in() -> None:
    double = Double(expires_in=0)
    summary = await played(double, events(10))
    assert "login" in double.calls
    assert (summary.sent, summary.refused) == (10, [])


async def test_a_second_run_logs_in_and_makes_no_second_jar() -> None:
    double = Double()
    await played(double, events(10))
    jars = {email: len(ledger.jars) for email, ledger in double.users.items()}
    summary = await played(double, events(10, "r2"), "r2")
    assert double.calls == ["signup", "signup", "signup", "login", "signup", "login"]
    assert {email: len(ledger.jars) for email, ledger in double.users.items()} == jars
    assert summary.duplicates == sum(event.resent for event in events(10))


async def test_a_socket_closed_for_good_ends_the_demo() -> None:
    with pytest.raises(BaseExceptionGroup) as ended:
        await played(Double(close_code=4003), events(10))
    assert isinstance(first_cause(ended.value), Forbidden)
    assert "4003" in str(first_cause(ended.value))


def test_main_without_a_server_says_where_it_looked() -> None:
    with pytest.raises(DemoError, match=r"http://127\.0\.0\.1:9: ConnectError"):
        demo.main("http://127.0.0.1:9", events=1, users=1)


def test_main_writes_the_figures_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def instead(*_: object) -> Summary:
        return Summary(sent=1, recorded=1, push_ms=[4.0], reply_ms=[3.0])

    monkeypatch.setattr(demo, "play", instead)
    demo.main("http://127.0.0.1:9", tmp_path, events=1, users=1, seed=3)
    figures = json.loads((tmp_path / "demo-last-run.json").read_text("utf-8"))
    assert (figures["seed"], figures["push_ms"]) == (3, {"p50": 4.0, "p99": 4.0})


def test_main_fails_when_an_event_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def instead(*_: object) -> Summary:
        return Summary(sent=1, refused=["demo-1: 422"])

    monkeypatch.setattr(demo, "play", instead)
    with pytest.raises(DemoError, match="1 events were refused"):
        demo.main("http://127.0.0.1:9", events=1, users=1)


def test_budgets_are_planned_from_what_is_sent_once() -> None:
    mine = [event for event in events() if event.person == "asha"]
    food = sum(e.body["amount"] for e in mine if e.expected_category == "food" and not e.resent)
    assert demo.planned_spending(mine)["food"] == food


@pytest.mark.parametrize("count", [0, PEOPLE_MAX + 1])
def test_more_people_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"users is {count}"):
        people(count)
