"""Who may come in, how many at once, and in which order."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from serve.live.anteroom import Anteroom, Full, network_of
from serve.live.entrance import Entrance, LineFull
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from tests.support.live_socket import EPOCH, Client, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

LIMITS = Limits(greeted_max=3, greeted_per_address_max=2, entering_at_once_max=2, entering_line_max=2, close_s=0.05)


@pytest.fixture
async def gateway(runtime: MemoryRuntime, clock: ManualClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(ports(runtime, clock), LIMITS)
    yield gateway
    runtime.head_gate.set()
    await gateway.close()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
        ("unix:", None),
    ],
)
def test_an_address_stands_for_who_is_behind_it(address: str, network: str | None) -> None:
    assert network_of(address) == network


def test_a_seat_is_given_back_once_and_leaves_nothing_behind() -> None:
    anteroom = Anteroom(LIMITS)
    seats = [anteroom.seat("203.0.113.7"), anteroom.seat("203.0.113.7")]
    with pytest.raises(Full, match="of this address"):
        anteroom.seat("203.0.113.7")
    anteroom.seat("127.0.0.1")
    with pytest.raises(Full, match="sockets here"):
        anteroom.seat("127.0.0.1")
    for seat in (*seats, *seats):
        seat.give_back()
    assert (len(anteroom), dict(anteroom._by_origin)) == (1, {})


async def test_sockets_that_say_nothing_fill_only_the_anteroom(gateway: Gateway, clock: ManualClock) -> None:
    known = Client(gateway)
    await known.auth("asha@3600")
    silent = [Client(gateway) for _ in range(3)]
    await settle()
    late = Client(gateway)
    await settle()
    assert (late.code, late.frames, known.code) == (4129, [], None)
    await clock.advance(LIMITS.auth_s + 1.0)
    assert [s.code for s in silent] == [4001] * 3
    again = Client(gateway)
    await again.auth("ravi@3600")
    assert again.of("snapshot")


async def test_one_address_does_not_fill_the_anteroom(gateway: Gateway) -> None:
    clients = [Client(gateway, "203.0.113.7") for _ in range(3)]
    other = Client(gateway, "203.0.113.8")
    await settle()
    assert [c.code for c in (*clients, other)] == [None, None, 4129, None]
    await clients[0].leave()
    again = Client(gateway, "203.0.113.7")
    await settle()
    assert again.code is None


def homed(runtime: MemoryRuntime, shard: int, count: int) -> list[str]:
    """Return users of one shard."""
    users = (f"user-{n}" for n in range(1_000))
    return [user for user in users if runtime.shard_of(f"main/{user}") == shard][:count]


async def enter(gateway: Gateway, user: str) -> Client:
    client = Client(gateway)
    await client.auth(f"{user}@3600", 0, EPOCH)
    return client


async def test_a_storm_enters_a_few_at_a_time_in_order_and_beyond_the_line_is_4129(
    gateway: Gateway, runtime: MemoryRuntime
) -> None:
    runtime.head_gate.clear()
    clients = [await enter(gateway, user) for user in homed(runtime, 0, 5)]
    assert [c.code for c in clients] == [None] * 4 + [4129]
    elsewhere = await enter(gateway, homed(runtime, 1, 1)[0])
    runtime.head_gate.set()
    await settle(300)
    assert all(c.of("ready") for c in (*clients[:4], elsewhere))


async def test_those_who_wait_for_a_shard_that_is_down_stop_nobody_else(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    runtime.restart(0, down=True)
    waiting = [await enter(gateway, user) for user in homed(runtime, 0, 4)]
    elsewhere = await enter(gateway, homed(runtime, 1, 1)[0])
    assert elsewhere.of("ready")
    assert not any(c.of("ready") for c in waiting)
    await waiting[0].leave()
    runtime.revive(0)
    await clock.advance(5.0)
    assert all(c.of("ready") for c in waiting[1:])


async def test_the_line_is_first_come_first_served() -> None:
    entrance = Entrance(Limits(entering_at_once_max=1, entering_line_max=3))
    order: list[int] = []
    gate = asyncio.Event()

    async def come(n: int) -> None:
        async with entrance.turn(0):
            order.append(n)
            await gate.wait()

    tasks = [asyncio.create_task(come(n)) for n in range(4)]
    await settle()
    with pytest.raises(LineFull, match="3 sockets wait"):
        async with entrance.turn(0):
            pass
    tasks[2].cancel()
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 3]
    async with entrance.turn(0):
        order.append(4)
    assert order[-1] == 4


async def test_one_user_with_many_sockets_does_not_fill_the_line(runtime: MemoryRuntime, clock: ManualClock) -> None:
    limits = Limits(entering_at_once_max=1, entering_line_max=3, sockets_per_user_max=2, close_s=0.05)
    gateway = Gateway(ports(runtime, clock), limits)
    runtime.head_gate.clear()
    many, one = [Client(gateway) for _ in range(6)], Client(gateway)
    for client in many:
        await client.auth("asha@3600")
    await one.auth("ravi@3600")
    assert [client.code for client in many] == [None, None, 4129, 4129, 4129, 4129]
    assert one.code is None
    assert gateway.measures.turned_away.value("user_full") == 4
    await many[0].leave()
    await many[2].leave()
    again = Client(gateway)
    await again.auth("asha@3600")
    runtime.head_gate.set()
    await settle()
    assert [f["t"] for client in (many[1], again, one) for f in client.frames[1:2]] == ["ready"] * 3
    for client in (*many, one, again):
        await client.leave()
    assert len(gateway._subscriptions._claims) == 0
    await gateway.close()
