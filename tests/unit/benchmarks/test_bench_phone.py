"""The phones of the benches judge what they are pushed: a bench whose judge is blind shows any figure."""

import asyncio

import pytest
from typing_extensions import override

from serve.live.frugal import text_frame
from tests.benchmarks.sockets.phone import Phone, Tally, upgrade

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Line(asyncio.Transport):
    """Takes what the phone writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    @override
    def abort(self) -> None:
        self.written = b""

    @override
    def close(self) -> None:
        self.written = b""


def phone(*, first: bytes = b"first") -> tuple[Phone, Tally, Line]:
    tally, line = Tally(), Line()
    made = Phone(upgrade(1, "/"), first, tally)
    made.connection_made(line)
    made.data_received(UPGRADED)
    return made, tally, line


def turn(seq: int, more: str = "") -> bytes:
    return text_frame(f'{{"t":"turn","seq":{seq},"at":"now"{more}}}'.encode())


def test_turns_in_order_are_pushes() -> None:
    made, tally, _ = phone()
    made.data_received(text_frame(b'{"t":"snapshot","seq":4,"data":{}}'))
    made.data_received(turn(5) + turn(6))
    assert (tally.ready, tally.pushes, tally.gaps, tally.repeats) == (1, 2, 0, 0)


def test_a_hole_is_a_gap_and_what_came_before_is_a_repeat() -> None:
    made, tally, _ = phone()
    made.data_received(turn(5) + turn(7) + turn(7) + turn(6))
    assert (tally.pushes, tally.gaps, tally.repeats) == (2, 1, 2)


@pytest.mark.parametrize("size", [10, 200, 70_000])
def test_frames_may_come_in_any_pieces(size: int) -> None:
    made, tally, _ = phone()
    stream = b"".join(turn(seq, f',"x":"{"x" * size}"') for seq in (1, 2, 3))
    step = max(1, len(stream) // 50)
    for at in range(0, len(stream), step):
        made.data_received(stream[at : at + step])
    assert (tally.pushes, tally.gaps) == (3, 0)


def test_a_stamped_push_is_timed_from_when_it_was_due() -> None:
    made, tally, _ = phone()
    made.data_received(turn(1, ',"external_id":"b-1000-7"') + turn(2, ',"external_id":"upi-1"'))
    [spent] = tally.latencies_ns
    assert 0 < spent <= tally.last_ns - 1000


def test_a_ping_is_answered_and_a_close_is_counted_by_its_code() -> None:
    made, tally, line = phone()
    made.data_received(b"\x89\x01p")
    assert line.written.endswith(b"\x8a\x81\0\0\0\0p")
    made.data_received(b"\x88\x02" + (4108).to_bytes(2))
    assert tally.codes == {4108: 1}


def test_an_upgrade_that_is_refused_is_counted() -> None:
    tally = Tally()
    made = Phone(upgrade(1, "/"), b"", tally)
    made.connection_made(Line())
    made.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    assert (tally.refused, made.is_ready) == (1, False)
