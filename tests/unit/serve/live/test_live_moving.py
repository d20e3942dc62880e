import asyncio
import contextlib

import pytest
from typing_extensions import override

from actors.messages import Envelope, Outcome
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from serve.live.moving import PER_S, let_go, spread_s
from tests.support.live_socket import Client, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

LIMITS = Limits(stall_s=0.05, close_s=0.05)


class Slow(MemoryRuntime):
    """Answers expenses when the test says so."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.answering = asyncio.Event()

    @override
    async def submit(self, envelope: Envelope) -> Outcome:
        if envelope.command_id is not None:
            await self.answering.wait()
        return await super().submit(envelope)


class Leaver:
    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.left_at = clock, -1.0

    def leave(self) -> None:
        self.left_at = self.clock.monotonic()


async def entered(gateway: Gateway, user: str = "asha") -> Client:
    client = Client(gateway)
    await settle()
    await client.auth(f"{user}@3600", 0)
    return client


@pytest.mark.parametrize(("sockets", "longest_s", "over_s"), [(0, 30.0, 0.0), (200, 30.0, 1.0), (10_000, 30.0, 30.0)])
def test_few_sockets_leave_at_once_and_many_within_the_time_that_is_set(
    sockets: int, longest_s: float, over_s: float
) -> None:
    assert spread_s(sockets, longest_s) == over_s


async def test_sockets_are_let_go_evenly_over_the_time_and_in_an_order_nobody_knows() -> None:
    clock = ManualClock()
    leavers = [Leaver(clock) for _ in range(400)]
    going = asyncio.create_task(let_go(leavers, 10.0, clock))
    await clock.advance(5.0)
    gone = [leaver for leaver in leavers if leaver.left_at >= 0]
    assert 195 <= len(gone) <= 205
    assert gone != leavers[: len(gone)]
    await clock.advance(5.0)
    assert going.done()
    per_second = [sum(second <= leaver.left_at < second + 1 for leaver in leavers) for second in range(10)]
    assert sum(per_second) == 400
    assert max(per_second) <= 45


async def test_a_gateway_moves_its_sockets_at_its_pace_and_turns_new_ones_away_meanwhile() -> None:
    clock = ManualClock()
    gateway = Gateway(ports(MemoryRuntime(clock), clock), Limits())
    clients = [await entered(gateway, f"user{n}") for n in range(40)]
    moving = asyncio.create_task(gateway.close(30.0))
    await clock.advance(40 / PER_S / 2)
    assert 0 < sum(client.code == 4200 for client in clients) < 40
    late = await entered(gateway, "late")
    assert (late.code, late.frames) == (4200, [])
    await clock.advance(40 / PER_S)
    await moving
    assert {client.code for client in clients} == {4200}
    assert gateway.sockets == 0


async def test_an_expense_under_way_is_answered_before_its_socket_moves_and_a_new_one_is_refused() -> None:
    clock = ManualClock()
    runtime = Slow(clock)
    gateway = Gateway(ports(runtime, clock), Limits())
    client = await entered(gateway)
    await client.say({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    moving = asyncio.create_task(gateway.close())
    await settle()
    await client.say({"t": "expense", "id": "c2", "data": {"external_id": "T2"}})
    assert client.code is None
    assert [(e["id"], e["problem"]["status"]) for e in client.of("error")] == [("c2", 503)]
    runtime.answering.set()
    await moving
    assert [receipt["id"] for receipt in client.of("receipt")] == ["c1"]
    assert client.code == 4200


async def test_an_expense_without_an_answer_does_not_hold_the_move_up_for_ever() -> None:
    clock = ManualClock()
    gateway = Gateway(ports(Slow(clock), clock), LIMITS)
    client = await entered(gateway)
    await client.say({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    await gateway.close()
    assert client.code == 4200
    assert gateway.sockets == 0


async def test_a_client_that_does_not_read_does_not_hold_the_move_up_either() -> None:
    clock = ManualClock()
    runtime = MemoryRuntime(clock)
    gateway = Gateway(ports(runtime, clock), LIMITS)
    deaf, other = await entered(gateway, "asha"), await entered(gateway, "ravi")
    deaf.wire.pause()
    runtime.commit("main/asha")
    await settle()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gateway.close(), 5)
    assert gateway.sockets == 0
    assert (deaf.code, other.code) == (None, 4200)


async def test_a_second_close_has_nothing_left_to_do() -> None:
    clock = ManualClock()
    gateway = Gateway(ports(MemoryRuntime(clock), clock), Limits())
    client = await entered(gateway)
    await gateway.close(5.0)
    await gateway.close()
    assert client.code == 4200


async def test_a_socket_is_let_go_before_the_front_door_that_holds_it_is_cut_off() -> None:
    clock = ManualClock()
    gateway = Gateway(ports(MemoryRuntime(clock), clock), Limits(life_s=3_000.0))
    clients = [await entered(gateway, f"user{n}") for n in range(20)]
    await clock.advance(2_240.0)
    assert {client.code for client in clients} == {None}
    await clock.advance(400.0)
    assert 0 < sum(client.code == 4200 for client in clients) < 20
    await clock.advance(400.0)
    assert {client.code for client in clients} == {4200}


async def test_a_socket_with_nothing_else_due_is_let_go_in_time_too() -> None:
    clock = ManualClock()
    gateway = Gateway(ports(MemoryRuntime(clock), clock), Limits(life_s=300.0, heartbeat_s=100_000.0))
    client = await entered(gateway)
    await clock.advance(302.0)
    assert client.code == 4200
