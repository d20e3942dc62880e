"""What a gateway counts, seen through sockets that come, read, lag and go."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from actors.messages import Problem
from actors.meters import Series
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from serve.live.outbound import Disconnected
from serve.live.protocol import CloseCode
from tests.support.live_socket import Client, Wire, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

ASHA = "main/asha"
LIMITS = Limits(queue_frames_max=8, close_s=0.05, sockets_per_user_max=2, sockets_max=3)


@pytest.fixture
async def gateway(runtime: MemoryRuntime, clock: ManualClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(ports(runtime, clock), LIMITS, "gateway-1")
    yield gateway
    await gateway.close()


async def entered(gateway: Gateway, seq: int | None = None, user: str = "asha") -> Client:
    client = Client(gateway)
    await settle()
    await client.auth(f"{user}@3600", seq)
    return client


def shown(gateway: Gateway, name: str) -> dict[tuple[str, ...], Any]:
    found: list[Series] = [series for series in gateway.series() if series.family == name]
    return {series.labels: series.values[0] for series in found}


async def test_sockets_are_counted_by_where_their_conversation_is(gateway: Gateway) -> None:
    greeted, client = Client(gateway), await entered(gateway)
    states = ("greeted", "verifying", "entering", "open", "renewing", "closed")
    expected = {(state,): 1 if state in ("greeted", "open") else 0 for state in states}
    assert shown(gateway, "boond_live_sockets") == expected
    assert shown(gateway, "boond_live_users") == {(): 1}
    await client.leave()
    await greeted.say({"t": "auth", "token": "nonsense"})
    assert gateway.measures.closed.value("client") == 1
    assert gateway.measures.closed.value("4001") == 1
    assert shown(gateway, "boond_live_sockets")["open",] == 0


async def test_entering_is_counted_by_what_the_client_got(gateway: Gateway, runtime: MemoryRuntime) -> None:
    runtime.commit(ASHA)
    await entered(gateway)
    await entered(gateway, seq=1)
    await entered(gateway, seq=7, user="bela")
    assert shown(gateway, "boond_live_entered_total") == {("snapshot",): 1, ("resumed",): 1, ("reset",): 1}
    assert gateway.measures.enter_seconds.count() == 3


async def test_a_position_asked_for_again_is_counted(gateway: Gateway, runtime: MemoryRuntime) -> None:
    runtime.commit(ASHA)
    client = await entered(gateway, seq=1)
    await client.say({"t": "resume", "seq": 0})
    await client.say({"t": "resume", "seq": 99})
    assert shown(gateway, "boond_live_recovered_total") == {("resumed",): 1, ("reset",): 1}


async def test_turns_are_counted_by_where_they_came_from(gateway: Gateway, runtime: MemoryRuntime) -> None:
    runtime.commit(ASHA)
    await entered(gateway, seq=0)
    runtime.commit(ASHA)
    await settle()
    assert shown(gateway, "boond_live_turns_pushed_total") == {("history",): 1, ("feed",): 1}
    assert gateway.measures.frames_pulled.value() == 1
    assert gateway.measures.push_lag.count() == 1
    assert gateway.measures.pulls.value("known") > 0


async def test_the_bytes_of_a_text_that_is_not_ascii_are_those_of_utf_8(
    gateway: Gateway, runtime: MemoryRuntime
) -> None:
    client = await entered(gateway)
    before = gateway.measures.bytes_out
    runtime.refuse = lambda _: Problem("conflict", "चाय")
    await client.say({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    sent = msgspec.json.encode(client.frames[-1])
    assert gateway.measures.bytes_out - before == len(sent) == len(sent.decode()) + 6
    assert shown(gateway, "boond_live_queued_bytes_total") == {(): gateway.measures.bytes_out}


async def test_the_longest_queue_is_that_since_the_last_look(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway)
    client.wire.pause()
    for _ in range(4):
        runtime.commit(ASHA)
        await settle()
    assert shown(gateway, "boond_live_queue_frames_max") == {(): 3}
    assert shown(gateway, "boond_live_queue_frames_max") == {(): 0}
    client.wire.unpause()


async def test_a_socket_that_does_not_keep_up_is_a_laggard(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway)
    client.wire.pause()
    for _ in range(12):
        runtime.commit(ASHA)
        await settle()
    client.wire.unpause()
    await settle()
    assert shown(gateway, "boond_live_laggards_total") == {("overflow",): 1}
    assert gateway.measures.closed.value("4108") == 1


async def test_who_leaves_before_an_answer_is_no_laggard(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway)
    client.wire.type({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    client.wire.type(None)
    await settle()
    assert gateway.measures.expenses.value("receipt") == 1
    assert shown(gateway, "boond_live_laggards_total") == {}
    assert gateway.measures.closed.value("client") == 1


async def test_a_send_that_takes_too_long_is_a_laggard(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway)
    client.wire.pause()
    runtime.commit(ASHA)
    await clock.advance(LIMITS.stall_s + 2 * LIMITS.tick_s)
    assert shown(gateway, "boond_live_laggards_total") == {("stall",): 1}
    client.wire.unpause()


async def test_who_is_turned_away_is_counted_by_why(gateway: Gateway) -> None:
    for _ in range(3):
        await entered(gateway)
    assert gateway.measures.turned_away.value("user_full") == 1
    await entered(gateway, user="bela")
    await entered(gateway, user="chitra")
    assert gateway.measures.turned_away.value("gateway_full") == 1
    await gateway.close()
    Client(gateway)
    await settle()
    assert gateway.measures.turned_away.value("moving") == 1


async def test_a_frame_that_ends_its_socket_is_counted(gateway: Gateway) -> None:
    client = await entered(gateway)
    await client.say("not JSON")
    assert gateway.measures.frames_refused.value() == 1
    assert gateway.measures.frames_received.value() == 2
    assert gateway.measures.closed.value("4008") == 1


async def test_a_frame_that_is_refused_where_its_bytes_arrive_is_counted_too(gateway: Gateway) -> None:
    class Refusing(Wire):
        @override
        async def receive(self) -> str | bytes:
            raise Disconnected(CloseCode.BAD_FRAME)

    await gateway.serve(Refusing())
    assert gateway.measures.frames_refused.value() == 1
    assert gateway.measures.closed.value("4008") == 1
    assert gateway.measures.closed.value("client") == 0


async def test_expenses_are_counted_by_their_answer(gateway: Gateway) -> None:
    client = await entered(gateway)
    await client.say({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    await client.say({"t": "expense", "id": "c2", "data": {}})
    assert shown(gateway, "boond_live_expenses_total") == {("receipt",): 1, ("refused",): 1}
    assert gateway.measures.expense_seconds.count() == 2


async def test_an_ack_tells_how_far_behind_the_client_is(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    for _ in range(3):
        runtime.commit(ASHA)
        await settle()
    await client.say({"t": "ack", "seq": 1})
    [lag] = [s for s in gateway.series() if s.family == "boond_live_ack_lag_turns"]
    assert lag.values[-1] == 2
