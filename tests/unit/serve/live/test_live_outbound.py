import asyncio

from serve.live.limits import Limits
from serve.live.outbound import Outbound
from tests.support.live_socket import Wire
from tests.support.manual_clock import ManualClock, settle

SMALL = Limits(queue_frames_max=4, queue_chars_max=100)


async def test_a_full_queue_refuses_and_keeps_what_it_has() -> None:
    wire = Wire()
    outbound = Outbound(wire, SMALL, ManualClock())
    assert [outbound.offer(f'{{"n":{n}}}') for n in range(5)] == [True, True, True, True, False]
    outbound.end()
    await outbound.write()
    assert [f["n"] for f in wire.frames] == [0, 1, 2, 3]


async def test_one_text_of_any_size_fits_and_a_second_does_not() -> None:
    outbound = Outbound(Wire(), SMALL, ManualClock())
    assert outbound.offer('"' + "x" * 500 + '"')
    assert not outbound.offer('""')


async def test_room_opens_when_the_reader_has_taken_half() -> None:
    wire = Wire()
    outbound = Outbound(wire, SMALL, ManualClock())
    for _ in range(3):
        outbound.offer("{}")
    waiting = asyncio.create_task(outbound.room())
    await settle()
    assert not waiting.done()
    writer = asyncio.create_task(outbound.write())
    await settle()
    assert waiting.done()
    writer.cancel()


async def test_a_send_that_takes_too_long_counts_as_stalled() -> None:
    wire, clock = Wire(), ManualClock()
    outbound = Outbound(wire, SMALL, clock)
    wire.pause()
    outbound.offer("{}")
    writer = asyncio.create_task(outbound.write())
    await clock.advance(SMALL.stall_s)
    assert not outbound.stalled()
    await clock.advance(1.0)
    assert outbound.stalled()
    wire.unpause()
    await settle()
    assert not outbound.stalled()
    writer.cancel()
