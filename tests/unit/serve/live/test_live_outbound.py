import asyncio

from serve.live.limits import Limits
from serve.live.outbound import Outbound
from tests.support.live_socket import Wire
from tests.support.manual_clock import ManualClock, settle

SMALL = Limits(queue_frames_max=4, queue_chars_max=100)


class Way:
    """The way out of a test's wire, and how often it was said to be out."""

    def __init__(self) -> None:
        self.wire, self.clock, self.outs = Wire(), ManualClock(), 0
        self.outbound = Outbound(self.wire, SMALL, self.clock, self._out)

    def _out(self) -> None:
        self.outs += 1

    @property
    def written(self) -> list[int]:
        return [frame["n"] for frame in self.wire.frames]

    def offer(self, *numbers: int) -> list[bool]:
        return [self.outbound.offer(f'{{"n":{n}}}') for n in numbers]


async def test_while_the_peer_keeps_up_nothing_waits() -> None:
    way = Way()
    assert all(way.offer(*range(50)))
    assert way.written == list(range(50))
    assert not way.outbound.waits


async def test_what_cannot_go_at_once_goes_in_order_and_what_comes_meanwhile_waits_behind_it() -> None:
    way = Way()
    way.wire.pause()
    way.offer(0, 1)
    await settle()
    way.wire.unpause()
    way.offer(2)
    assert way.written == []
    await settle()
    assert way.written == [0, 1, 2]
    assert not way.outbound.waits


async def test_a_full_backlog_refuses_and_keeps_what_it_has() -> None:
    way = Way()
    way.wire.pause()
    assert way.offer(0, 1, 2, 3, 4) == [True, True, True, True, False]
    way.outbound.end()
    assert way.outs == 0
    way.wire.unpause()
    await settle()
    assert (way.written, way.outs) == ([0, 1, 2, 3], 1)


async def test_after_the_end_nothing_is_taken_and_it_is_out_once() -> None:
    way = Way()
    way.outbound.end()
    way.outbound.end()
    way.outbound.abandon()
    assert way.offer(0) == [False]
    assert (way.written, way.outs) == ([], 1)


async def test_what_is_abandoned_is_not_sent() -> None:
    way = Way()
    way.wire.pause()
    way.offer(0, 1)
    await settle()
    way.outbound.abandon()
    assert way.outs == 1
    way.wire.unpause()
    await settle()
    assert (way.written, way.outs) == ([], 1)


async def test_room_opens_when_the_reader_has_taken_half() -> None:
    way = Way()
    way.wire.pause()
    way.offer(0, 1, 2)
    waiting = asyncio.create_task(way.outbound.room())
    await settle()
    assert not waiting.done()
    way.wire.unpause()
    await settle()
    assert waiting.done()


async def test_a_send_that_takes_too_long_counts_as_stalled() -> None:
    way = Way()
    way.wire.pause()
    way.offer(0)
    await way.clock.advance(SMALL.stall_s)
    assert not way.outbound.stalled()
    await way.clock.advance(1.0)
    assert way.outbound.stalled()
    way.wire.unpause()
    await settle()
    assert not way.outbound.stalled()
