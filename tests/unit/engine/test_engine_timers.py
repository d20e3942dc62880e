"""Timers and messages of a turn become rows beside its journal row; they are nobody's news."""

from datetime import UTC, datetime, timedelta

import msgspec

from engine.behaviour import OutboxRow, Turn
from engine.commands import DeleteBudget
from engine.events import AlertRaised, TimerCancelled, TimerSet
from engine.hosting import BEHAVIOUR
from engine.views import Declined, Shown

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
DUE = AT + timedelta(days=14)
ALERT = AlertRaised(
    alert_id="a1", type="deal", severity="info", message="News.", at=AT, local_date=AT.date(), seq=2, data={}
)
SET = TimerSet(timer_id="t1", due=DUE, command=DeleteBudget(category="food"))
GONE = TimerCancelled(timer_id="t2")


def test_timers_of_a_turn_are_rows_and_not_on_the_socket() -> None:
    stored = BEHAVIOUR.decode_turn(BEHAVIOUR.encode_turn([ALERT, SET, GONE], Shown()))
    turn = Turn("main/u1", 2, AT, *stored)
    first, second = BEHAVIOUR.rows(turn).timers
    assert (first.timer_id, first.due) == ("t1", DUE)
    assert first.body is not None
    assert BEHAVIOUR.decode_command(first.body) == DeleteBudget(category="food")
    assert (second.timer_id, second.body) == ("t2", None)
    assert [frame["type"] for frame in msgspec.json.decode(BEHAVIOUR.push(turn))] == ["deal"]


def test_an_alert_or_a_timer_alone_is_a_row_too() -> None:
    assert [row.timer_id for row in BEHAVIOUR.rows(Turn("main/u1", 2, AT, [SET], Shown())).timers] == ["t1"]
    assert [row.alert_id for row in BEHAVIOUR.rows(Turn("main/u1", 2, AT, [ALERT], Shown())).alerts] == ["a1"]


def test_what_a_turn_sends_is_in_its_outbox_and_in_none_of_its_events() -> None:
    message = OutboxRow("o1", "notify", b"123456")
    turn = Turn("main/u1", 2, AT, [ALERT], Shown(), [message])
    assert list(BEHAVIOUR.rows(turn).outbox) == [message]
    assert b"123456" not in BEHAVIOUR.encode_turn(turn.events, turn.result)


def test_a_declined_turn_says_why() -> None:
    turn = Turn("main/u1", 2, AT, [ALERT], Declined("forbidden", "wrong code", {"tries_left": 4}))
    refused = BEHAVIOUR.declined(turn)
    assert refused is not None
    assert (refused.code, refused.detail, refused.extra) == ("forbidden", "wrong code", {"tries_left": 4})
    assert BEHAVIOUR.declined(Turn("main/u1", 2, AT, [ALERT], Shown())) is None
