import asyncio
import json
import random
from typing import Any

import pytest
from typing_extensions import override

from loadtests.frames import Opcode, Reader
from loadtests.held_socket import HeldSocket, State
from loadtests.lines import Line, Weather
from loadtests.listening import Position, Tally, Verdict, wait_before_next_s
from loadtests.turns import Turn, read_turn

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: here\r\n\r\n"
RECEIPT = {
    "type": "transaction_recorded",
    "data": {"pending_external_id": "no", "external_id": "lt-1", "transaction": {"metadata": {"sent_ns": "12345"}}},
}


class Wire(asyncio.Transport):
    """What a socket wrote, and whether it hung up."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def close(self) -> None:
        self.is_closed = True

    @override
    def abort(self) -> None:
        self.is_closed = True

    @override
    def pause_reading(self) -> None:
        pass

    @override
    def resume_reading(self) -> None:
        pass

    def said(self) -> list[str]:
        """Return the texts of the client's frames (their masking key is zero)."""
        texts, rest = [], self.written.partition(b"\r\n\r\n")[2]
        while rest:
            size = rest[1] & 0x7F
            assert size < 126
            texts.append(rest[6 : 6 + size].decode("latin-1"))
            rest = rest[6 + size :]
        return texts


class Owner:
    """Notes what a socket tells it."""

    def __init__(self) -> None:
        self.position, self.tally = Position(), Tally()
        self.turns: list[Turn] = []
        self.codes: list[int] = []
        self.opened = 0

    def auth(self) -> bytes:
        return b'{"t":"auth"}'

    def on_open(self) -> None:
        self.opened += 1

    def on_turn(self, turn: Turn) -> None:
        self.turns.append(turn)

    def on_closed(self, socket: HeldSocket, code: int) -> None:
        self.codes.append(code)


def framed(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + payload


def text(**fields: Any) -> bytes:
    return framed(json.dumps(fields, separators=(",", ":")).encode())


def turn(seq: int) -> bytes:
    return text(t="turn", seq=seq, at="now", events=[RECEIPT])


def entered(owner: Owner, *after: bytes) -> tuple[HeldSocket, Wire]:
    socket, line = HeldSocket(owner, b"GET\r\n\r\n", b"here"), Wire()
    socket.connection_made(line)
    socket.data_received(HEAD + text(t="hello", heartbeat_s=5.0))
    socket.data_received(text(t="ready", epoch="e", head=3, resumed=False) + text(t="snapshot", seq=3, data={}))
    for data in after:
        socket.data_received(data)
    return socket, line


def test_a_socket_enters_counts_dense_turns_and_measures_them() -> None:
    owner = Owner()
    socket, line = entered(owner, turn(4) + turn(5), turn(5), turn(6))
    assert socket.state is State.OPEN
    assert (socket.heartbeat_s, owner.opened, owner.position.start, owner.position.seq) == (5.0, 1, 3, 6)
    assert [seen.seq for seen in owner.turns] == [4, 5, 6]
    assert (owner.tally.turns, owner.tally.repeated, owner.tally.out_of_order) == (3, 1, 0)
    assert (owner.tally.push.total, owner.tally.caught_up.total) == (0, 3)
    assert line.said() == ['{"t":"auth"}']


def test_only_what_was_sent_while_it_was_open_and_read_is_a_push() -> None:
    owner = Owner()
    socket, _ = entered(owner)
    socket.live_from_ns = 12_345
    socket.data_received(turn(4))
    assert (owner.tally.push.total, owner.tally.caught_up.total) == (1, 0)
    socket.read(on=False)
    socket.read(on=True)
    socket.data_received(turn(5))
    assert (owner.tally.push.total, owner.tally.caught_up.total) == (1, 1)
    owner.tally.measure_from_ns = 12_346
    socket.data_received(turn(6))
    assert (owner.tally.push.total, owner.tally.caught_up.total) == (1, 1)


def test_a_turn_left_out_is_counted_and_asked_for() -> None:
    owner = Owner()
    _, line = entered(owner, turn(5))
    assert (owner.tally.out_of_order, owner.position.seq, owner.turns) == (1, 3, [])
    assert line.said()[-1] == '{"t":"resume","seq":3}'


def test_a_heartbeat_that_is_ahead_makes_it_ask() -> None:
    owner = Owner()
    _, line = entered(owner, text(t="heartbeat", head=3), text(t="heartbeat", head=4))
    assert owner.tally.asked_again == 1
    assert line.said()[-1] == '{"t":"resume","seq":3}'


def test_a_ping_is_answered_and_a_close_is_told_once() -> None:
    owner = Owner()
    socket, line = entered(owner, framed(b"abc", Opcode.PING), framed((4108).to_bytes(2, "big"), Opcode.CLOSE))
    socket.connection_lost(None)
    assert line.said()[1] == "abc"
    assert owner.codes == [4108]
    assert socket.state is State.CLOSED


def test_a_line_that_drops_is_1006() -> None:
    owner = Owner()
    entered(owner)[0].connection_lost(ConnectionResetError())
    assert owner.codes == [1006]


@pytest.mark.parametrize(
    "data",
    [text(t="ready", epoch="e", head=1, resumed=False), turn(1), text(t="heartbeat", head=1), framed(b"{")],
)
def test_a_frame_at_the_wrong_time_is_a_protocol_error(data: bytes) -> None:
    owner = Owner()
    socket = HeldSocket(owner, b"GET\r\n\r\n", b"here")
    socket.connection_made(Wire())
    socket.data_received(HEAD + data)
    assert (owner.tally.protocol_errors_count, socket.state, owner.codes) == (1, State.CLOSED, [1006])


def test_a_socket_left_behind_tells_nobody() -> None:
    owner = Owner()
    socket, _ = entered(owner)
    socket.leave()
    socket.connection_lost(None)
    socket.data_received(turn(4))
    assert (owner.codes, owner.turns) == ([], [])


def test_it_is_open_once_it_knows_where_it_stands() -> None:
    owner = Owner()
    owner.position.epoch = "e"
    owner.position.begin(7)
    socket = HeldSocket(owner, b"GET\r\n\r\n", b"here")
    socket.connection_made(Wire())
    socket.data_received(HEAD + text(t="hello", heartbeat_s=5.0) + text(t="ready", epoch="e2", head=9, resumed=False))
    assert (socket.state, owner.opened) == (State.AWAITING_SNAPSHOT, 0)
    socket.data_received(text(t="reset", head=9) + text(t="snapshot", seq=9, data={}) + turn(10))
    assert (socket.state, owner.opened, owner.tally.resets) == (State.OPEN, 1, 1)
    assert (owner.position.epoch, owner.position.start, owner.position.seq) == ("e2", 9, 10)


def test_a_resume_in_another_epoch_is_a_protocol_error() -> None:
    owner = Owner()
    owner.position.epoch = "e"
    owner.position.begin(7)
    socket = HeldSocket(owner, b"GET\r\n\r\n", b"here")
    socket.connection_made(Wire())
    socket.data_received(HEAD + text(t="hello", heartbeat_s=5.0) + text(t="ready", epoch="e2", head=9, resumed=True))
    assert (owner.tally.protocol_errors_count, socket.state) == (1, State.CLOSED)


def test_a_refused_upgrade_is_counted_by_its_status() -> None:
    owner = Owner()
    socket = HeldSocket(owner, b"GET\r\n\r\n", b"here")
    socket.connection_made(Wire())
    socket.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    assert (owner.tally.refused, owner.codes) == ({"503": 1}, [0])


def test_a_turn_is_read_whatever_the_order_of_its_fields() -> None:
    fast = next(payload for _, payload in _frames(turn(9)))
    slow = json.dumps({"seq": 9, "t": "turn", "events": [RECEIPT]}, separators=(",", ":")).encode()
    assert read_turn(fast) == read_turn(slow) == Turn(9, 12345, "lt-1")
    assert read_turn(b'{"t":"turn","seq":2,"at":"now","events":[]}') == Turn(2, None, None)
    assert read_turn(b'{"t":"heartbeat","head":2}') is None


def _frames(data: bytes) -> list[tuple[Opcode, bytes]]:
    return list(Reader(b"here").feed(HEAD + data))


def test_a_position_takes_only_the_next_turn() -> None:
    position = Position()
    position.begin(0)
    taken = [position.take(seq) for seq in (1, 1, 3, 2, 0)]
    expected = [Verdict.NEXT, Verdict.REPEATED, Verdict.OUT_OF_ORDER, Verdict.NEXT, Verdict.REPEATED]
    assert (taken, position.seq) == (expected, 2)


def test_close_codes_say_whether_and_when_to_come_back() -> None:
    rng = random.Random(1)
    assert [wait_before_next_s(code, 0, rng) for code in (4001, 4003, 4008, 1008)] == [None] * 4
    moved = [wait_before_next_s(4200, 9, rng) or 0.0 for _ in range(200)]
    assert 1.8 < max(moved) <= 2.0
    for code in (4108, 4129, 1006, 1011, 1012, 0):
        waits = [wait_before_next_s(code, 20, rng) or 0.0 for _ in range(200)]
        assert 9.0 < max(waits) <= 10.0
        assert 0.0 <= (wait_before_next_s(code, 0, rng) or 0.0) <= 0.5


def test_lines_are_drawn_by_their_shares_and_repeat_by_seed() -> None:
    weather = Weather(goes=0.3, resets=0.2)
    lines = weather.lines(10_000, random.Random(5))
    assert lines == weather.lines(10_000, random.Random(5))
    assert 2_800 < lines.count(Line.GOES) < 3_200
    assert lines.count(Line.LAGS) == 0
    with pytest.raises(ValueError, match="sum to more than 1"):
        Weather(goes=0.9, lags=0.2).lines(1, random.Random(1))
