"""The client: few calls, a user's commands never in two of them, and everything answered or refused in time."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from msgspec import msgpack

from actors.client import Client
from actors.connections import pool
from actors.lane import LaneLimits
from actors.messages import Envelope, Meta, Outcome, Problem, Pull, Pulled
from actors.runtime import Runtime, Unavailable
from actors.slots import shard_of
from actors.transport import TransportLost
from actors.wire import decode_envelopes, decode_pull, encode_outcomes, encode_pulled
from tests.support.counter import BEHAVIOUR

_UNAVAILABLE = Outcome("unavailable", problem=Problem("unavailable", "not now"))


class FakeTransport:
    """Answers from a script; keeps calls open while `gate` is closed and notices a user in two calls at once."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[list[Envelope]] = []
        self.sizes: list[int] = []
        self.open = 0
        self.open_max = 0
        self.in_flight: Counter[str] = Counter()
        self.overlaps: list[str] = []
        self.answer: Callable[[Envelope], Outcome | Exception] = lambda _: Outcome("done", 1, b'"ok"')
        self.carried: list[str] = []

    async def submit(self, shard: int, blob: bytes) -> bytes:
        envelopes = decode_envelopes(blob)
        entities = {envelope.entity_id for envelope in envelopes}
        assert {shard_of(entity, 1) for entity in entities} == {shard}
        self.calls.append(envelopes)
        self.sizes.append(len(blob))
        self.open += 1
        self.open_max = max(self.open, self.open_max)
        self.in_flight.update(entities)
        self.overlaps += [entity for entity in entities if self.in_flight[entity] > 1]
        try:
            await self.gate.wait()
            outcomes = []
            for envelope in envelopes:
                outcome = self.answer(envelope)
                if isinstance(outcome, Exception):
                    raise outcome
                if outcome.status == "done":
                    self.carried.append(envelope.command_id or "")
                outcomes.append(outcome)
            return encode_outcomes(outcomes)
        finally:
            self.in_flight.subtract(entities)
            self.open -= 1

    async def pull(self, shard: int, blob: bytes) -> bytes:
        request = decode_pull(blob)
        if request.gateway == "lost":
            raise TransportLost("gone")
        return encode_pulled(Pulled("i", request.cursor + shard, True))


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


def envelope(entity_id: str, n: int | str, size: int = 10) -> Envelope:
    """Return a command of a size."""
    return Envelope(entity_id, f"{entity_id}:{n}", msgpack.encode("x" * size), Meta("p"))


def client(transport: FakeTransport, shards: int = 1, **limits: float) -> Client:
    """Return a client whose pool is never opened."""
    quick = {"pace_s": 0.0, "back_off_s_min": 0.0001, "back_off_s_max": 0.001, **limits}
    return Client(transport, shards, BEHAVIOUR, pool("postgresql://127.0.0.1:1/none", "test"), LaneLimits(**quick))  # type: ignore[arg-type]


async def settled() -> None:
    """Let everything that can run, run."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_concurrent_requests_share_a_call(transport: FakeTransport) -> None:
    runtime: Runtime = client(transport)
    outcomes = await asyncio.gather(*(runtime.submit(envelope(f"u{i}", 1)) for i in range(150)))
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert [len(call) for call in transport.calls] == [150]


async def test_two_calls_are_in_flight_and_more_only_while_they_are_full(transport: FakeTransport) -> None:
    transport.gate.clear()
    runtime = client(transport)
    few = [asyncio.create_task(runtime.submit(envelope(f"few{i}", 1))) for i in range(3)]
    for one in few:
        await settled()
        assert not one.done()
    first = len(transport.calls)
    assert first <= 2
    many = asyncio.create_task(runtime.submit_many([envelope(f"u{i}", 1) for i in range(2_000)]))
    await settled()
    assert len(transport.calls) == 6
    assert {len(call) for call in transport.calls[first:]} == {200}
    transport.gate.set()
    assert len(await many) == 2_000
    assert [(await one).status for one in few] == ["done"] * 3
    assert transport.open_max == 6
    assert max(len(call) for call in transport.calls) == 200


async def test_a_call_stays_under_90_kb_but_one_large_command_still_goes(transport: FakeTransport) -> None:
    sizes = [30_000, 30_000, 30_000, 200_000, 10]
    await client(transport).submit_many([envelope(f"u{i}", 1, size) for i, size in enumerate(sizes)])
    assert [len(call) for call in transport.calls] == [2, 1, 1, 1]
    assert [size for size in transport.sizes if size > 90_000] == [transport.sizes[2]]


async def test_calls_shrink_when_replies_are_large(transport: FakeTransport) -> None:
    transport.answer = lambda _: Outcome("done", 1, b'"' + b"r" * 9_000 + b'"')
    runtime = client(transport)
    await runtime.submit(envelope("u", 1))
    transport.calls.clear()
    await runtime.submit_many([envelope(f"u{i}", 1) for i in range(30)])
    assert max(len(call) for call in transport.calls) <= 9


async def test_commands_of_one_entity_are_never_in_two_calls_and_keep_their_order(transport: FakeTransport) -> None:
    transport.gate.clear()
    runtime = client(transport)
    tasks = [asyncio.create_task(runtime.submit(envelope("u", 0)))]
    await settled()
    tasks += [asyncio.create_task(runtime.submit(envelope(user, n))) for n in range(1, 6) for user in ("u", "v")]
    await settled()
    assert {e.entity_id for e in transport.calls[1]} == {"v"}
    transport.gate.set()
    await asyncio.gather(*tasks)
    assert transport.overlaps == []
    assert [command for command in transport.carried if command.startswith("u")] == [f"u:{n}" for n in range(6)]


async def test_what_comes_right_after_a_call_goes_together_with_the_next(transport: FakeTransport) -> None:
    runtime = client(transport, pace_s=0.2)
    tasks = []
    for n in range(4):
        tasks.append(asyncio.create_task(runtime.submit(envelope(f"u{n}", n))))
        await settled()
    await asyncio.gather(*tasks)
    assert [len(call) for call in transport.calls] == [1, 3]


async def test_a_full_call_waits_for_no_pace(transport: FakeTransport) -> None:
    runtime = client(transport, pace_s=1_000.0)
    await runtime.submit_many([envelope(f"u{n}", n) for n in range(200)])
    await runtime.submit_many([envelope(f"u{n}", n + 200) for n in range(200)])
    assert transport.carried == [f"u{n}:{n}" for n in range(200)] + [f"u{n}:{n + 200}" for n in range(200)]


async def test_unavailable_is_tried_again_with_the_same_id_and_order_is_kept(transport: FakeTransport) -> None:
    tries: Counter[str] = Counter()

    def answer(asked: Envelope) -> Outcome:
        tries[str(asked.command_id)] += 1
        if asked.entity_id == "u" and tries["u:0"] <= 3:
            return _UNAVAILABLE
        return Outcome("done", 1)

    transport.answer = answer
    outcomes = await client(transport).submit_many([envelope(user, n) for n in range(4) for user in ("u", "v")])
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert tries["v:0"] == 1
    assert tries["u:0"] == 4
    assert [command for command in transport.carried if command.startswith("u")] == [f"u:{n}" for n in range(4)]
    assert transport.overlaps == []


@pytest.mark.parametrize("error", [TransportLost("died"), ValueError("a bug")])
async def test_a_lost_call_is_tried_again(transport: FakeTransport, error: Exception) -> None:
    failures = [error, error]

    def answer(_: Envelope) -> Outcome | Exception:
        return failures.pop() if failures else Outcome("done", 1)

    transport.answer = answer
    assert (await client(transport).submit(envelope("u", 1))).status == "done"
    assert len(transport.calls) == 3


async def test_a_call_that_hangs_counts_as_lost(transport: FakeTransport) -> None:
    transport.gate.clear()
    sending = asyncio.create_task(client(transport, call_s_max=0.01).submit(envelope("u", 1)))
    async with asyncio.timeout(5):
        while len(transport.calls) < 2:
            await asyncio.sleep(0.001)
    transport.gate.set()
    assert (await sending).status == "done"


async def test_after_the_deadline_it_is_unavailable(transport: FakeTransport) -> None:
    transport.answer = lambda _: _UNAVAILABLE
    runtime = client(transport, deadline_s=0.02)
    with pytest.raises(Unavailable, match=r"in time|not now"):
        await runtime.submit(envelope("u", 1))
    assert [outcome.status for outcome in await runtime.submit_many([envelope("u", 1)])] == ["unavailable"]
    transport.answer = lambda _: Outcome("done", 1)
    assert (await runtime.submit(envelope("u", 2))).status == "done"


async def test_a_full_queue_is_unavailable_at_once(transport: FakeTransport) -> None:
    transport.gate.clear()
    runtime = client(transport, waiting_max=3)
    tasks = [asyncio.create_task(runtime.submit(envelope(f"u{i}", 1))) for i in range(3)]
    await settled()
    with pytest.raises(Unavailable):
        await runtime.submit(envelope("v", 1))
    with pytest.raises(Unavailable):
        await runtime.submit_many([envelope("v", 1)])
    transport.gate.set()
    assert {outcome.status for outcome in await asyncio.gather(*tasks)} == {"done"}
    assert (await runtime.submit(envelope("v", 1))).status == "done"


async def test_a_request_that_nobody_waits_for_any_more_is_not_sent(transport: FakeTransport) -> None:
    transport.gate.clear()
    runtime = client(transport)
    first = asyncio.create_task(runtime.submit(envelope("u", 1)))
    await settled()
    second = asyncio.create_task(runtime.submit(envelope("u", 2)))
    await settled()
    second.cancel()
    await settled()
    transport.gate.set()
    await first
    await settled()
    assert [[e.command_id for e in call] for call in transport.calls] == [["u:1"]]


async def test_refusals_are_outcomes_and_not_tried_again(transport: FakeTransport) -> None:
    transport.answer = lambda _: Outcome("refused", problem=Problem("invalid", "no"))
    assert (await client(transport).submit(envelope("u", 1))).status == "refused"
    assert len(transport.calls) == 1


async def test_pulls_go_to_their_shard_and_a_lost_one_is_unavailable(transport: FakeTransport) -> None:
    runtime = client(transport, shards=3)
    assert (await runtime.pull(2, Pull("g", "i", 40))).cursor == 42
    with pytest.raises(Unavailable):
        await runtime.pull(0, Pull("lost", "i", 1))


async def test_closing_ends_what_waits(transport: FakeTransport) -> None:
    transport.gate.clear()
    closing = client(transport)
    tasks = [asyncio.create_task(closing.submit(envelope("u", n))) for n in range(3)]
    await settled()
    await closing.close()
    assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {Unavailable}
