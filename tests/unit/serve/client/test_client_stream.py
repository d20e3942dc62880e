"""The client's state machine, rule by rule."""

import json
from random import Random

import pytest
from typing_extensions import override

from serve.client import errors, frames
from serve.client.actions import Action, Answer, Drop, Fail, Renew, Retry, Send
from serve.client.credentials import Credential, Source
from serve.client.frames import Position
from serve.client.limits import Limits
from serve.client.retry import Pace, Verdict, judge
from serve.client.stream import Phase, Stream
from serve.live.limits import Limits as ServerLimits

LIMITS = Limits()


def entered(*, renewable: bool = True, limits: Limits = LIMITS) -> Stream:
    """Return a stream that is open at turn 4, from time 0."""
    stream = Stream(limits, Random(1), 0.0, Position("e", 4), "boond")
    assert stream.reaching(Credential("token", "first", renewable), 0.0) == []
    stream.connected(0.0)
    say(stream, {"t": "hello", "heartbeat_s": 25})
    say(stream, {"t": "ready", "epoch": "e", "head": 4, "resumed": True})
    return stream


def say(stream: Stream, frame: dict[str, object], now: float = 0.0) -> list[Action]:
    return stream.receive(json.dumps(frame), now)


def sent(actions: list[Action]) -> list[dict[str, object]]:
    """Return what is sent; nothing else may be asked for."""
    assert all(isinstance(action, Send) for action in actions), actions
    return [json.loads(action.text) for action in actions if isinstance(action, Send)]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (None, Verdict.BACK_OFF),
        (1000, Verdict.BACK_OFF),
        (1001, Verdict.BACK_OFF),
        (1008, Verdict.NEVER),
        (1009, Verdict.NEVER),
        (1011, Verdict.BACK_OFF),
        (1012, Verdict.MOVE),
        (4000, Verdict.NEVER),
        (4099, Verdict.NEVER),
        (4100, Verdict.BACK_OFF),
        (4108, Verdict.BACK_OFF),
        (4199, Verdict.BACK_OFF),
        (4200, Verdict.MOVE),
        (4299, Verdict.MOVE),
        (4300, Verdict.BACK_OFF),
    ],
)
def test_a_close_code_is_judged_by_its_range(code: int | None, verdict: Verdict) -> None:
    assert judge(code) is verdict


def test_the_wait_grows_to_its_bound_with_full_jitter_and_begins_anew_after_success() -> None:
    class Highest(Random):
        @override
        def uniform(self, a: float, b: float) -> float:
            return b

    pace = Pace(LIMITS, Highest())
    waits = [pace.wait_s(Verdict.BACK_OFF) for _ in range(9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    pace.succeeded()
    assert pace.wait_s(Verdict.MOVE) == 2.0
    assert [pace.wait_s(Verdict.MOVE) for _ in range(3)] == [2.0, 2.0, 4.0]
    assert pace.wait_s(Verdict.BACK_OFF, at_least_s=7) == 15.0


def test_a_stream_that_is_cut_at_once_again_and_again_backs_off() -> None:
    stream = entered()
    for _ in range(6):
        [retry] = stream.lost(1.0, None, "cut")
        assert isinstance(retry, Retry)
        stream.reaching(Credential("token", "t", True), 1.0)
        stream.connected(1.0)
        say(stream, {"t": "hello", "heartbeat_s": 25}, 1.0)
        say(stream, {"t": "ready", "epoch": "e", "head": 4, "resumed": True}, 1.0)
    assert stream._pace._failures == 6
    stream.lost(1.0 + LIMITS.stable_s, None, "cut")
    assert stream._pace._failures == 1


def test_auth_shows_where_the_client_is_and_the_names_it_wants() -> None:
    stream = Stream(LIMITS, Random(1), 0.0, Position("e", 4), "jatour")
    stream.reaching(Credential("ticket", "once", True), 0.0)
    stream.connected(0.0)
    [auth] = sent(say(stream, {"t": "hello", "heartbeat_s": 25}))
    assert auth == {"t": "auth", "ticket": "once", "resume": {"epoch": "e", "seq": 4}, "names": "jatour"}


def test_a_hole_is_asked_for_once_and_again_at_each_heartbeat_until_another_line_is_tried() -> None:
    stream = entered()
    turn = {"t": "turn", "at": "-", "events": []}
    assert sent(say(stream, {**turn, "seq": 7})) == [{"t": "resume", "seq": 4}]
    assert say(stream, {**turn, "seq": 8}) == []
    for _ in range(LIMITS.beats_behind_max):
        assert sent(say(stream, {"t": "heartbeat", "head": 8})) == [{"t": "resume", "seq": 4}]
    [drop] = say(stream, {"t": "heartbeat", "head": 8})
    assert isinstance(drop, Drop)
    assert "turn 5 does not come" in drop.reason
    assert stream.position == Position("e", 4)


def test_a_silent_line_is_dead_after_two_heartbeats_and_a_grace() -> None:
    stream = entered()
    assert stream.deadline == 55.0
    say(stream, {"t": "heartbeat", "head": 4}, 25.0)
    assert stream.tick(79.9) == []
    assert isinstance(stream.tick(80.0)[0], Drop)


def test_a_line_that_was_not_read_is_not_taken_for_silent() -> None:
    stream = entered()
    stream.listen(3_600.0)
    assert stream.tick(3_601.0) == []


@pytest.mark.parametrize("phase", [Phase.GREETING, Phase.ENTERING, Phase.SETTLING])
def test_every_step_of_entering_has_its_time(phase: Phase) -> None:
    stream = Stream(LIMITS, Random(1), 0.0, None, "boond")
    stream.reaching(Credential("token", "t", False), 0.0)
    stream.connected(0.0)
    for frame in ({"t": "hello", "heartbeat_s": 25}, {"t": "ready", "epoch": "e", "head": 4, "resumed": False}):
        if stream.phase is not phase:
            say(stream, frame)
    assert stream.phase is phase
    [drop] = stream.tick(LIMITS.step_s)
    assert isinstance(drop, Drop)
    assert phase.value in drop.reason


@pytest.mark.parametrize(
    "frame",
    [
        {"t": "hello", "heartbeat_s": 1},
        {"t": "ready", "epoch": "other", "head": 4, "resumed": True},
        {"t": "snapshot", "seq": 9, "data": {}},
        {"t": "turn", "seq": "five"},
        {"no": "frame"},
    ],
)
def test_what_cannot_come_now_ends_the_line_with_what_was_expected(frame: dict[str, object]) -> None:
    [drop] = say(entered(), frame)
    assert isinstance(drop, Drop)
    assert drop.reason


def test_what_a_later_server_may_add_is_passed_over() -> None:
    stream = entered()
    assert say(stream, {"t": "weather", "degrees": 31}) == []
    [deliver] = say(stream, {"t": "turn", "seq": 5, "at": "-", "events": [], "mood": "good", "request_id": "r1"})
    assert isinstance(getattr(deliver, "item", None), frames.Turn)


def test_an_expiring_token_is_renewed_on_the_line_unless_it_is_the_same_one() -> None:
    stream = entered()
    assert say(stream, {"t": "expiring", "at": "-"}) == [Renew()]
    assert stream.renewed(Credential("token", "first", True), 10.0) == []
    assert stream.deadline == 10.0 + LIMITS.renew_retry_s
    assert stream.tick(10.0 + LIMITS.renew_retry_s) == [Renew()]
    assert sent(stream.renewed(Credential("token", "second", True), 20.0)) == [{"t": "auth", "token": "second"}]
    assert say(stream, {"t": "ready", "epoch": "e", "head": 9, "resumed": True}) == []


def test_a_token_without_a_successor_is_left_to_end() -> None:
    stream = entered(renewable=False)
    assert say(stream, {"t": "expiring", "at": "-"}) == []
    [fail] = stream.lost(60.0, 4001, "the token has expired")
    assert isinstance(fail, Fail)
    assert isinstance(fail.error, errors.Unauthenticated)


def test_a_phone_that_slept_past_its_token_gets_a_fresh_one_and_gives_up_when_none_comes() -> None:
    stream = entered()
    assert isinstance(stream.lost(7_200.0, 4001, "the token has expired")[0], Retry)
    [fail] = stream.reaching(Credential("token", "first", True), 7_201.0)
    assert isinstance(fail, Fail)
    assert isinstance(fail.error, errors.Unauthenticated)
    stream = entered()
    stream.lost(7_200.0, 4001, "the token has expired")
    assert stream.reaching(Credential("token", "second", True), 7_201.0) == []
    stream.connected(7_201.0)
    say(stream, {"t": "hello", "heartbeat_s": 25}, 7_201.0)
    assert isinstance(stream.lost(7_201.5, 4001, "not a token of ours")[0], Fail)


def test_a_line_so_slow_that_auth_came_late_is_tried_again_also_with_a_plain_token() -> None:
    stream = Stream(LIMITS, Random(1), 0.0, None, "boond")
    stream.reaching(Credential("token", "t", False), 0.0)
    stream.connected(0.0)
    assert isinstance(stream.lost(5.0, 4001, "no auth within 5 s")[0], Retry)
    stream.reaching(Credential("token", "t", False), 6.0)
    stream.connected(6.0)
    say(stream, {"t": "hello", "heartbeat_s": 25}, 6.0)
    assert isinstance(stream.lost(6.0 + LIMITS.auth_late_s, 4001, "no auth within 5 s")[0], Retry)


def test_codes_that_forbid_another_try_end_it_with_what_to_do() -> None:
    for code, kind in ((4003, errors.Forbidden), (4008, errors.BadFrame), (1009, errors.BadFrame)):
        stream = entered()
        [fail] = stream.lost(1.0, code, "why")
        assert isinstance(fail, Fail)
        assert isinstance(fail.error, kind)
        assert stream.phase is Phase.ENDED
        assert stream.lost(2.0, None, "") == []


def test_the_first_stream_has_its_time_and_a_lost_one_as_long_as_it_takes() -> None:
    stream = Stream(LIMITS, Random(1), 0.0, None, "boond")
    assert isinstance(stream.lost(0.1, None, "refused")[0], Retry)
    [fail] = stream.lost(LIMITS.first_s, None, "refused")
    assert isinstance(fail, Fail)
    assert "refused" in str(fail.error)
    open_ = entered()
    assert isinstance(open_.lost(10.0, None, "cut")[0], Retry)
    assert isinstance(open_.lost(1e9, None, "refused")[0], Retry)
    hasty = entered(limits=Limits(give_up_s=60))
    assert isinstance(hasty.lost(10.0, None, "cut")[0], Retry)
    assert isinstance(hasty.lost(71.0, None, "refused")[0], Fail)


def test_an_upgrade_refused_for_good_ends_it_only_before_the_first_stream() -> None:
    fresh = Stream(LIMITS, Random(1), 0.0, None, "boond")
    assert isinstance(fresh.turned_away(1.0, 404)[0], Fail)
    for status in (429, 500, 503):
        fresh = Stream(LIMITS, Random(1), 0.0, None, "boond")
        [retry] = fresh.turned_away(1.0, status, retry_after_s=3)
        assert isinstance(retry, Retry)
        assert retry.after_s >= 3
    assert isinstance(entered().turned_away(1.0, 404)[0], Retry)


def test_an_expense_goes_out_again_until_it_is_decided() -> None:
    stream = entered()
    id_, actions = stream.spend({"external_id": "T1"})
    assert [frame["id"] for frame in sent(actions)] == [id_]
    assert say(stream, {"t": "error", "id": id_, "problem": {"status": 503, "retry_after_s": 3}}, 10.0) == []
    assert stream.tick(12.9) == []
    assert [frame["id"] for frame in sent(stream.tick(13.0))] == [id_]
    stream.lost(14.0, None, "cut")
    stream.reaching(Credential("token", "t", True), 15.0)
    stream.connected(15.0)
    say(stream, {"t": "hello", "heartbeat_s": 25}, 15.0)
    again = sent(say(stream, {"t": "ready", "epoch": "e", "head": 4, "resumed": True}, 15.0))
    assert [frame["id"] for frame in again] == [id_]
    assert say(stream, {"t": "receipt", "id": id_, "data": {"seq": 5}}) == [Answer(id_, receipt={"seq": 5})]
    assert say(stream, {"t": "receipt", "id": id_, "data": {"seq": 5}}) == []
    assert not stream.spending


def test_what_is_sent_at_once_on_a_new_line_is_no_flood_to_the_server() -> None:
    server = ServerLimits()
    assert LIMITS.expenses_max * LIMITS.expense_bytes_max < 2 * server.bytes_burst
    assert LIMITS.expenses_max < min(server.frames_burst, server.expenses_in_flight_max)
    assert LIMITS.auth_late_s < server.auth_s
    stream = entered()
    with pytest.raises(ValueError, match="at most 24000 bytes"):
        stream.spend({"external_id": "T1", "description": "x" * 24_000})
    assert not stream.spending


def test_a_state_that_cannot_follow_is_refused_in_words() -> None:
    with pytest.raises(RuntimeError, match="waits for turns; GREETING cannot follow OPEN"):
        entered().connected(1.0)


def test_there_is_one_credential() -> None:
    with pytest.raises(ValueError, match="one of them"):
        Source(None, None)
    with pytest.raises(ValueError, match="one of them"):
        Source("t", ticket="once")

    async def later() -> str:
        return "t"

    coroutine = later()
    with pytest.raises(TypeError, match="blocking"):
        Source(lambda: coroutine, None).ask_at_once()
    coroutine.close()
    assert Source(lambda: "t", None).ask_at_once() == Credential("token", "t", True)
