"""What the client's state machine promises whatever a server does: every turn once and in order, or a reset told."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from serve.client.limits import Limits
from tests.support.model_server import World

RETRIED = (None, 1001, 1006, 1011, 1012, 4108, 4129, 4200)


def close(world: World, n: int) -> None:
    world.lose(RETRIED[n % len(RETRIED)])


def leave_out(world: World, n: int) -> None:
    """A turn that was on its way is not sent after all: a hole."""
    for frame in list(world.server.out)[n % 3 :]:
        if frame["t"] == "turn":
            world.server.out.remove(frame)
            return


def send_twice(world: World, n: int) -> None:
    """Turns that were sent come again."""
    if world.server.entered and world.server.sent:
        world.server.out.append(world.server.turn(max(1, world.server.sent - n)))


def far_ahead(world: World, n: int) -> None:
    """The line skips to the newest turn, as after a gap that the gateway did not see."""
    if world.server.entered:
        world.server.head += n + 1
        world.server.sent = world.server.head
        world.server.out.append(world.server.turn(world.server.head))


def begin_anew(world: World, n: int) -> None:
    if world.server.entered:
        world.server.begin_anew()


def restore(world: World, n: int) -> None:
    world.lose()
    world.server.restore(n)


def no_room(world: World, n: int) -> None:
    world.room = False


def room(world: World, n: int) -> None:
    world.room = True
    world.perform(world.stream.roomy())


def expire(world: World, n: int) -> None:
    if world.server.entered:
        world.server.out.append({"t": "expiring", "at": "-"})


def chatter(world: World, n: int) -> None:
    """A frame of a later version of the protocol."""
    world.server.out.append({"t": "weather", "degrees": n})


def fall_silent(world: World, n: int) -> None:
    """Time passes without a frame."""
    world.now += n * 10
    world.perform(world.stream.tick(world.now) if world.up else [])


def commit(world: World, n: int) -> None:
    world.server.commit(n)


def beat(world: World, n: int) -> None:
    world.beat()


def spend(world: World, n: int) -> None:
    world.spend()


DAY = (close, leave_out, send_twice, far_ahead, begin_anew, restore, no_room, room, expire, chatter, fall_silent)
DAYS: dict[str, Any] = {f.__name__: f for f in (commit, beat, spend, *DAY)}
ACCIDENTS = st.lists(st.tuples(st.sampled_from(sorted(DAYS)), st.integers(0, 7), st.integers(0, 7)), max_size=60)
"""What happens, how much of it, and how many frames arrive after it."""


@settings(max_examples=400, deadline=None)
@given(ACCIDENTS)
@example([("commit", 0, 4), ("restore", 7, 2), ("far_ahead", 2, 1), ("close", 0, 0)])
@example([("commit", 0, 4), ("no_room", 0, 0), ("commit", 5, 5), ("spend", 0, 0), ("room", 0, 7)])
@example([("commit", 0, 4), ("commit", 3, 0), ("leave_out", 0, 3), ("beat", 0, 2), ("beat", 0, 2)])
@example([("commit", 0, 4), ("commit", 3, 3), ("send_twice", 0, 2)])
def test_every_turn_comes_once_and_in_order_or_a_reset_is_told(accidents: list[tuple[str, int, int]]) -> None:
    world = World(Limits(first_s=float("inf")))
    for name, n, frames in accidents:
        DAYS[name](world, n)
        for _ in range(frames):
            world.step()
    # From here on the day is good: everything still missing arrives.
    world.room = True
    world.perform(world.stream.roomy())
    for _ in range(20):
        while world.step():
            pass
        if world.seen is not None and world.seen.seq == world.server.head and not world.stream.spending:
            break
        world.now += 10
        world.beat()
    assert world.seen is not None
    assert (world.seen.epoch, world.seen.seq) == (world.server.epoch, world.server.head)
    assert sorted(world.answers) == sorted(world.asked)
    assert {f"x{i}" for i in range(len(world.asked))} == set(world.server.spent)
