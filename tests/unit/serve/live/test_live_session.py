import json
from datetime import datetime
from typing import Any

import pytest

from actors.messages import Frame
from serve.live.limits import Limits
from serve.live.ports import Principal, TokenRefused
from serve.live.protocol import Auth, CloseCode, Error, Expiring, Hello, Position, encode_turn
from serve.live.session import (
    Acked,
    Beat,
    Close,
    Effect,
    Enter,
    Phase,
    Recover,
    Redeem,
    Renew,
    Send,
    Session,
    Spend,
)
from tests.support.live_socket import Person
from tests.support.manual_clock import ManualClock

LIMITS = Limits()


def verify_at(clock: ManualClock, ends_s: float = 3600.0) -> Any:
    def verify(token: str) -> Principal:
        if token == "bad":
            raise TokenRefused("unknown key")
        return Person(token, clock.now() + ends_s, "service" if token == "wallet" else "user")

    return verify


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def session(clock: ManualClock) -> Session:
    return Session(verify_at(clock, 120.0), LIMITS, clock, lambda: 1.0)


def say(session: Session, **frame: Any) -> list[Effect]:
    return session.receive(json.dumps(frame))


def opened(session: Session) -> Session:
    say(session, t="auth", token="asha")
    session.entered()
    return session


def code_of(effects: list[Effect]) -> CloseCode:
    (close,) = effects
    assert isinstance(close, Close)
    return close.code


def test_hello_names_the_heartbeat(session: Session) -> None:
    assert session.greet() == [Send(Hello(25.0))]


def test_auth_enters_with_the_position_of_the_client(session: Session) -> None:
    (enter,) = say(session, t="auth", token="asha", resume={"epoch": "e", "seq": 0})
    assert isinstance(enter, Enter)
    assert enter.resume == Position("e", 0)
    assert enter.principal.entity_id == "main/asha"
    assert session.phase is Phase.ENTERING


@pytest.mark.parametrize(
    "frame", [{"t": "expense", "id": "a", "data": {}}, {"t": "ack", "seq": 1}, {"t": "resume", "seq": 1}]
)
def test_anything_before_auth_is_4001(session: Session, frame: dict[str, Any]) -> None:
    assert code_of(say(session, **frame)) == CloseCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "frame", [{"t": "auth", "token": "bad"}, {"t": "auth"}, {"t": "auth", "token": "asha", "ticket": "x"}]
)
def test_a_bad_or_missing_token_is_4001(session: Session, frame: dict[str, Any]) -> None:
    assert code_of(say(session, **frame)) == CloseCode.UNAUTHENTICATED


def test_another_role_than_user_is_4003(session: Session) -> None:
    assert code_of(say(session, t="auth", token="wallet")) == CloseCode.FORBIDDEN


def test_an_expired_token_is_4001_even_if_verification_let_it_pass(clock: ManualClock) -> None:
    session = Session(verify_at(clock, -1.0), LIMITS, clock, lambda: 1.0)
    assert code_of(say(session, t="auth", token="asha")) == CloseCode.UNAUTHENTICATED


async def test_no_auth_within_five_seconds_is_4001(session: Session, clock: ManualClock) -> None:
    await clock.advance(4.9)
    assert session.tick() == []
    await clock.advance(0.2)
    assert code_of(session.tick()) == CloseCode.UNAUTHENTICATED
    assert say(session, t="auth", token="asha") == [], "nothing is taken in after a close"


@pytest.mark.parametrize(
    "message",
    [
        b"\x00\x01",
        "",
        "hello",
        "[]",
        '{"t":"turn","seq":1}',
        '{"t":"auth","token":7}',
        '{"seq":1}',
        '{"t":"resume","seq":"1"}',
        "[" * 60_000,
        '{"t":"ack","seq":1,"pad":"' + "x" * LIMITS.frame_bytes_max + '"}',
        '{"t":"ack","seq":1,"pad":"' + "\N{INDIAN RUPEE SIGN}" * (LIMITS.frame_bytes_max // 2) + '"}',
    ],
)
def test_garbage_binary_unknown_and_oversized_frames_are_4008(session: Session, message: str | bytes) -> None:
    assert code_of(opened(session).receive(message)) == CloseCode.BAD_FRAME


def test_unknown_fields_are_ignored(session: Session) -> None:
    assert say(opened(session), t="ack", seq=4, colour="blue") == [Acked(4)]


def test_an_ack_before_ready_or_below_zero_is_4008(session: Session) -> None:
    say(session, t="auth", token="asha")
    assert code_of(say(session, t="ack", seq=1)) == CloseCode.BAD_FRAME


def test_an_ack_below_zero_is_4008(session: Session) -> None:
    assert code_of(say(opened(session), t="ack", seq=-1)) == CloseCode.BAD_FRAME


def checking(session: Session, clock: ManualClock, ends_s: float = 120.0, user: str = "asha") -> tuple[Person, Auth]:
    (check,) = say(session, t="auth", ticket="x")
    assert isinstance(check, Redeem)
    assert check.ticket == "x"
    return Person(user, clock.now() + ends_s), check.auth


def test_a_ticket_enters_once_it_is_checked(session: Session, clock: ManualClock) -> None:
    person, auth = checking(session, clock)
    phases = [session.phase]
    (enter,) = session.admit(person, auth)
    assert isinstance(enter, Enter)
    assert [*phases, session.phase] == [Phase.VERIFYING, Phase.ENTERING]


def test_a_fresh_ticket_renews_an_open_socket_of_the_same_user_only(session: Session, clock: ManualClock) -> None:
    opened(session)
    assert session.admit(*checking(session, clock)) == [Renew()]
    assert session.phase is Phase.OPEN
    assert code_of(session.admit(*checking(session, clock, user="ravi"))) == CloseCode.FORBIDDEN


async def test_heartbeats_and_the_end_of_the_old_token_go_on_while_a_ticket_is_checked(
    session: Session, clock: ManualClock
) -> None:
    opened(session)
    await clock.advance(24.0)
    checking(session, clock)
    await clock.advance(1.5)
    assert session.tick() == [Beat()]
    await clock.advance(LIMITS.redeem_s)
    assert code_of(session.tick()) == CloseCode.INTERNAL


async def test_a_ticket_that_cannot_be_checked_in_time_is_no_fault_of_the_client(
    session: Session, clock: ManualClock
) -> None:
    person, auth = checking(session, clock)
    await clock.advance(LIMITS.redeem_s + 0.1)
    assert code_of(session.tick()) == CloseCode.INTERNAL
    assert session.admit(person, auth) == [], "an answer that comes later changes nothing"


def test_nothing_is_received_while_a_ticket_is_checked(session: Session, clock: ManualClock) -> None:
    checking(session, clock)
    with pytest.raises(RuntimeError, match="waits for the check of the ticket"):
        say(session, t="ack", seq=1)


def test_an_answer_about_no_ticket_is_a_fault(session: Session) -> None:
    with pytest.raises(RuntimeError, match="waits for auth"):
        session.refuse(CloseCode.UNAUTHENTICATED, "spent")


def test_resume_before_ready_is_4008_and_after_it_recovers(session: Session, clock: ManualClock) -> None:
    early = Session(verify_at(clock), LIMITS, clock, lambda: 1.0)
    say(early, t="auth", token="asha")
    assert code_of(say(early, t="resume", seq=3)) == CloseCode.BAD_FRAME
    (recover,) = say(opened(session), t="resume", seq=3)
    assert isinstance(recover, Recover)
    assert recover.seq == 3


def test_an_expense_keeps_its_body_as_it_came(session: Session) -> None:
    (spend,) = opened(session).receive('{"t":"expense","id":"c1","data":{"amount": 19725}}')
    assert isinstance(spend, Spend)
    assert (spend.id, spend.body) == ("c1", b'{"amount": 19725}')


def test_auth_twice_before_ready_is_4008(session: Session) -> None:
    say(session, t="auth", token="asha")
    assert code_of(say(session, t="auth", token="asha")) == CloseCode.BAD_FRAME


def test_another_user_on_an_open_socket_is_4003(session: Session) -> None:
    assert code_of(say(opened(session), t="auth", token="ravi")) == CloseCode.FORBIDDEN


async def test_the_end_of_a_token_is_announced_a_minute_before_then_4001(session: Session, clock: ManualClock) -> None:
    ends = clock.now() + 120.0
    opened(session)
    sent: list[Effect] = []
    for _ in range(119):
        await clock.advance(1.0)
        sent += session.tick()
    (expiring,) = [e.frame for e in sent if isinstance(e, Send)]
    assert isinstance(expiring, Expiring)
    assert datetime.fromisoformat(expiring.at).timestamp() == ends
    await clock.advance(1.0)
    assert code_of(session.tick()) == CloseCode.UNAUTHENTICATED


async def test_nobody_is_asked_for_a_fresh_token_before_ready_when_it_would_be_too_early(
    session: Session, clock: ManualClock
) -> None:
    say(session, t="auth", token="asha")
    await clock.advance(100.0)
    assert session.tick() == []
    assert session.due > clock.monotonic(), "nor is it looked at again and again"
    session.entered()
    (expiring,) = [e.frame for e in session.tick() if isinstance(e, Send)]
    assert isinstance(expiring, Expiring)


async def test_a_fresh_token_keeps_the_socket_open(session: Session, clock: ManualClock) -> None:
    opened(session)
    await clock.advance(100.0)
    assert say(session, t="auth", token="asha") == [Renew()]
    await clock.advance(50.0)
    assert not any(isinstance(e, Close) for e in session.tick())


async def test_heartbeats_begin_with_ready_and_keep_their_period(session: Session, clock: ManualClock) -> None:
    opened(session)
    beats = []
    for second in range(1, 60):
        await clock.advance(1.0)
        beats += [second for e in session.tick() if isinstance(e, Beat)]
    assert beats == [25, 50]


async def test_the_first_heartbeat_comes_after_a_random_part_of_its_period(clock: ManualClock) -> None:
    session = opened(Session(verify_at(clock), LIMITS, clock, lambda: 0.2))
    beats = []
    for second in range(1, 60):
        await clock.advance(1.0)
        beats += [second for e in session.tick() if isinstance(e, Beat)]
    assert beats == [5, 30, 55]


def test_ready_without_auth_is_a_fault_that_says_what_was_expected(session: Session) -> None:
    with pytest.raises(RuntimeError, match="waits for auth"):
        session.entered()


def test_too_many_expenses_are_answered_429_and_a_flood_is_closed(session: Session) -> None:
    opened(session)
    answers = [say(session, t="expense", id=f"c{n}", data={}) for n in range(2 * LIMITS.frames_burst)]
    assert isinstance(answers[0][0], Spend)
    refused = answers[LIMITS.frames_burst][0]
    assert isinstance(refused, Send)
    assert isinstance(refused.frame, Error)
    assert refused.frame.problem["status"] == 429
    assert code_of(answers[-1]) == CloseCode.BAD_FRAME


async def test_the_allowance_comes_back_with_time(session: Session, clock: ManualClock) -> None:
    opened(session)
    for n in range(LIMITS.frames_burst + 10):
        say(session, t="expense", id=f"c{n}", data={})
    await clock.advance(1.0)
    (spend,) = say(session, t="expense", id="late", data={})
    assert isinstance(spend, Spend)


def test_a_turn_is_encoded_around_ready_made_json() -> None:
    frame = Frame("main/asha", 43, "2026-11-20T10:00:00Z", b'[{"type":"x","data":{"n":1}}]')
    assert (
        encode_turn(frame) == '{"t":"turn","seq":43,"at":"2026-11-20T10:00:00Z","events":[{"type":"x","data":{"n":1}}]}'
    )


@pytest.mark.parametrize("digits", [400, 10_000])
def test_a_seq_beyond_64_bits_breaks_nothing(session: Session, digits: int) -> None:
    (effect,) = opened(session).receive('{"t":"resume","seq":1' + "0" * digits + "}")
    assert isinstance(effect, Recover | Close)
