"""The client through a bad network: every turn once and in order in the application's view, and no socket left behind.

The seed is printed with a failure; `BOOND_SEED` takes one.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from random import Random

import httpx
import pytest

from serve.client import Limits, Live, Turn, connect
from serve.live.protocol import CloseCode
from tests.acceptance.boond import purchase
from tests.support.bad_network import CALM, BadNetwork, Weather, bad_network
from tests.support.stack import Stack, stack

SEED = int(os.environ.get("BOOND_SEED", "20261120"))
PEOPLE, BATCHES, BATCH = 4, 12, 50
QUICK = Limits(
    backoff_min_s=0.02, backoff_max_s=0.1, move_jitter_s=0.05, step_s=2.0, connect_s=2.0, silence_grace_s=0.5
)
TRAIN = Weather(
    latency_s_max=0.01,
    reset_share=0.5,
    half_open_share=0.15,
    bytes_before_max=120_000,
    dribble_share=0.3,
    stall_share=0.2,
    stall_s=0.3,
)


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with stack(database_url, tmp_path, heartbeat_s=1.0) as running:
        yield running


class Phone:
    """One person's application: stores each turn, and stops at the last one that was paid."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.seqs: list[int] = []
        self.paid: list[str] = []
        self.seen: list[str] = []
        self.reconnects = self.resets = 0

    async def watch(self, running: Stack, network: BadNetwork, ready: asyncio.Barrier) -> None:
        async with connect(network.url, lambda: running.token(self.user), limits=QUICK, chance=Random(SEED)) as live:
            assert live.position is not None
            self.seqs.append(live.position.seq)
            await ready.wait()
            while f"{self.user}-end" not in self.seen[-1:]:
                turn = await anext(live)
                self.seqs.append(turn.seq)
                paid = [event.data for event in turn.events if event.type == "transaction_recorded"]
                self.seen += [receipt["external_id"] for receipt in paid]
            self.reconnects, self.resets = live.reconnects, live.resets


async def pay(running: Stack, phones: list[Phone], network: BadNetwork) -> None:
    """Report payments of everybody in batches, over a good network, while the phones' own one is cut now and then."""
    chance = Random(SEED)
    headers = running.bearer("wallet", "service")
    async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", timeout=60, headers=headers) as http:

        async def report(*ids: str) -> None:
            batch = []
            for id_, phone in product(ids, phones):
                phone.paid.append(f"{phone.user}-{id_}")
                batch.append(purchase(phone.paid[-1], 1_001, user_id=phone.user))
            answer = await http.post("/transactions/batch", json=batch)
            assert answer.status_code == 200, answer.text

        for number in range(BATCHES):
            await report(*(f"{number}-{i}" for i in range(BATCH)))
            match chance.randrange(4):
                case 0:
                    network.cut()
                case 1:
                    running.hang_up(CloseCode.MOVING)
                case 2:
                    running.hang_up(CloseCode.TOO_SLOW)
                case _:
                    await asyncio.sleep(0.05)
        # The rest on a calm day: what this test asks is whether something is missing, not how long it takes.
        network.weather = CALM
        await report("end")


async def test_thousands_of_turns_arrive_each_once_and_in_order(running: Stack) -> None:
    phones = [Phone(f"phone{number}") for number in range(PEOPLE)]
    ready = asyncio.Barrier(PEOPLE + 1)
    async with bad_network(running.port, seed=SEED, weather=TRAIN) as network:
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for phone in phones:
                group.create_task(phone.watch(running, network, ready))
            await ready.wait()
            await pay(running, phones, network)
        for phone in phones:
            assert phone.seqs == list(range(phone.seqs[0], phone.seqs[0] + len(phone.seqs))), f"seed {SEED}"
            assert phone.seen == phone.paid, f"seed {SEED}"
            assert phone.resets == 0
        assert sum(phone.reconnects for phone in phones) >= BATCHES, f"seed {SEED}"
    await all_gone(running)


async def test_a_half_open_line_is_noticed_and_left(running: Stack) -> None:
    """Packets are swallowed both ways: neither side is told, and both find out by themselves."""
    dead_end = Weather(half_open_share=1.0, bytes_before_max=1)
    async with bad_network(running.port, seed=SEED) as network, AsyncExitStack() as held:
        live = await held.enter_async_context(connect(network.url, running.token("asha"), limits=QUICK))
        network.weather = dead_end
        network.cut()
        async with asyncio.timeout(20):
            while network.lines < 3:
                await asyncio.sleep(0.01)
        network.weather = CALM
        async with asyncio.timeout(20):
            receipt = await live.spend(purchase("AFTER", 19_725))
            assert (await anext(live)).seq == receipt["seq"]
    await all_gone(running)


async def test_an_application_that_does_not_read_costs_the_server_no_socket_and_itself_no_turn(running: Stack) -> None:
    """Five turns have room. An expense is answered all the same, and what was left comes afterwards."""
    async with connect(running.url, running.token("asha"), limits=Limits(queue_turns_max=5)) as live:
        receipts = [await live.spend(purchase(f"T{number}", 19_725)) for number in range(40)]
        async with asyncio.timeout(20):
            assert [(await anext(live)).seq for _ in receipts] == [receipt["seq"] for receipt in receipts]
        assert live.reconnects == 0


async def take_all(live: Live, seen: list[int]) -> None:
    """Take turns until cancelled."""
    async for turn in live:
        seen += [turn.seq]


class Stuck:
    """A socket whose sends do not return."""

    async def send(self, text: str) -> None:
        await asyncio.Event().wait()


async def test_a_turn_is_not_lost_when_taking_it_is_cancelled(running: Stack) -> None:
    """The turn was taken first, and what had been left asked for afterwards, where it could be cancelled."""
    async with connect(running.url, running.token("asha"), limits=Limits(queue_turns_max=5)) as live:
        seqs = [(await live.spend(purchase(f"T{number}", 19_725)))["seq"] for number in range(20)]
        seen: list[int] = []
        line, live._socket = live._socket, Stuck()  # type: ignore[assignment]
        taking = asyncio.create_task(take_all(live, seen))
        await asyncio.wait({taking}, timeout=0.2)
        taking.cancel()
        await asyncio.wait({taking})
        assert taking.cancelled()
        live._socket = line
        items = live.frames()
        async with asyncio.timeout(20):
            while len(seen) < len(seqs):
                item = await anext(items)
                seen += [item.seq] if isinstance(item, Turn) else []
        assert seen == seqs


async def all_gone(running: Stack) -> None:
    """Wait until the gateway holds no socket."""
    async with asyncio.timeout(20):
        while running.live.sockets:
            await asyncio.sleep(0.01)
