import asyncio

from serve.live.limits import Limits
from serve.live.outbound import Kind, Outbound
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


async def written(outbound: Outbound, wire: Wire) -> list[str]:
    outbound.end()
    await outbound.write()
    return [frame["t"] for frame in wire.frames]


def offer(outbound: Outbound, *frames: tuple[Kind, str]) -> list[bool]:
    return [outbound.offer(f'{{"t":"{name}"}}', kind) for kind, name in frames]


BEAT, SNAPSHOT, TURN, EVENT = Kind.HEARTBEAT, Kind.SNAPSHOT, Kind.TURN, Kind.EVENT


async def test_the_newest_heartbeat_waits_alone_and_behind_what_it_speaks_of() -> None:
    wire = Wire()
    outbound = Outbound(wire, SMALL, ManualClock())
    assert all(offer(outbound, (BEAT, "old"), (TURN, "turn"), (BEAT, "new")))
    assert await written(outbound, wire) == ["turn", "new"]


async def test_a_heartbeat_without_room_is_left_out_and_ends_nothing() -> None:
    wire = Wire()
    outbound = Outbound(wire, SMALL, ManualClock())
    assert all(offer(outbound, *[(TURN, "turn")] * 4, (BEAT, "beat")))
    assert await written(outbound, wire) == ["turn"] * 4


async def test_a_newer_snapshot_replaces_one_that_nothing_was_built_on() -> None:
    wire = Wire()
    outbound = Outbound(wire, SMALL, ManualClock())
    assert all(offer(outbound, (EVENT, "reset"), (SNAPSHOT, "old"), (EVENT, "reset"), (SNAPSHOT, "new")))
    assert await written(outbound, wire) == ["reset", "reset", "new"]


async def test_a_snapshot_that_turns_were_built_on_stays() -> None:
    wire = Wire()
    outbound = Outbound(wire, SMALL, ManualClock())
    assert all(offer(outbound, (SNAPSHOT, "old"), (TURN, "turn"), (EVENT, "reset"), (SNAPSHOT, "new")))
    assert await written(outbound, wire) == ["old", "turn", "reset", "new"]


async def test_states_that_replace_each_other_never_fill_the_queue() -> None:
    outbound = Outbound(Wire(), SMALL, ManualClock())
    assert all(offer(outbound, *[(SNAPSHOT, "s" * 20), (BEAT, "b" * 20)] * 50))
    assert len(outbound) == 2
