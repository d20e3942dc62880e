"""Shards on real Ray and real Postgres: acknowledged means committed, whatever is killed next."""

import asyncio
import os
import random
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import ray
from msgspec import json

from actors import chain
from actors.client import Client
from actors.connections import pool
from actors.host import HostConfig
from actors.lane import LaneLimits
from actors.messages import Outcome, Pull
from actors.postgres import PostgresJournal
from actors.ray_host import RayTransport, connect, start_shards
from actors.runtime import Unavailable
from tests.support.counter import BEHAVIOUR, balance, pay

_ROOT = Path(__file__).parents[2]
_USERS = [f"main/u{i}" for i in range(8)]


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    """A Ray of our own; its paths must be short."""
    folder = tempfile.mkdtemp(prefix="br")
    ray.init(
        address="local",
        _temp_dir=folder,
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(_ROOT)}},
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def instance(ray_session: None, database_url: str) -> AsyncIterator[tuple[Client, RayTransport]]:
    """Two shards and a client."""
    config = HostConfig(database_url, f"test-{secrets.token_hex(4)}", 2, "tests.support.counter:BEHAVIOUR")
    started = await start_shards(config)
    async with pool(database_url, "test-client") as connections:
        transport = connect(config.namespace, 2)
        client = Client(transport, 2, BEHAVIOUR, connections, LaneLimits(deadline_s=60, call_s_max=5))
        yield client, transport
        await client.close()
    started.kill()


async def _eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def _verify(url: str, entity_id: str) -> int:
    """Check the hash chain of a whole journal; return its head."""
    journal = PostgresJournal(url)
    turns = (await journal.histories([(entity_id, 0)], 1_000_000))[entity_id]
    await journal.close()
    chain.verify(entity_id, turns)
    return len(turns)


async def test_every_acknowledged_command_is_there_once_after_kill_9_in_mid_stream(
    instance: tuple[Client, RayTransport], database_url: str
) -> None:
    client, transport = instance
    acknowledged: dict[str, int] = dict.fromkeys(_USERS, 0)
    ending = False

    async def stream(user: str) -> None:
        number = 0
        while not ending:
            outcome = await client.submit(pay(user, f"t{number}", 1))
            assert outcome.status in ("done", "replayed"), outcome
            number += 1
            acknowledged[user] = number

    streams = [asyncio.create_task(stream(user)) for user in _USERS]
    for kills in range(1, 4):
        floor = sum(acknowledged.values())
        await _eventually(lambda floor=floor: sum(acknowledged.values()) > floor + 100)  # type: ignore[misc]
        victim = random.Random(kills).choice(await transport.stats())
        os.kill(victim["pid"], signal.SIGKILL)
    floor = sum(acknowledged.values())
    await _eventually(lambda: sum(acknowledged.values()) > floor + 100)
    ending = True
    await asyncio.gather(*streams)
    assert sum(stats["term"] for stats in await transport.stats()) >= 2 + 3
    for user in _USERS:
        outcome = await client.submit(balance(user))
        assert outcome.body is not None
        assert json.decode(outcome.body)["balance"] == acknowledged[user]
        assert await _verify(database_url, user) == acknowledged[user] + 1
        assert (await client.submit(pay(user, "t0", 1))).status == "replayed"


async def test_pushes_resume_without_a_gap_after_kill_9(instance: tuple[Client, RayTransport]) -> None:
    client, transport = instance
    user = _USERS[0]
    shard = client.shard_of(user)
    told: list[int] = []

    async def listen() -> None:
        incarnation, cursor = "", 0
        subscribe = {user: 0}
        while True:
            try:
                pulled = await client.pull(shard, Pull("gateway", incarnation, cursor, subscribe, wait_s=1.0))
            except Unavailable:
                await asyncio.sleep(0.05)
                continue
            incarnation, cursor = pulled.incarnation, pulled.cursor
            last = told[-1] if told else 0
            told.extend(frame.seq for frame in pulled.frames if frame.seq > last)
            subscribe = {} if pulled.known else {user: told[-1] if told else 0}

    listening = asyncio.create_task(listen())
    for number in range(30):
        assert (await client.submit(pay(user, f"t{number}"))).status in ("done", "replayed")
        if number in (10, 20):
            os.kill((await transport.stats())[shard]["pid"], signal.SIGKILL)
    await _eventually(lambda: len(told) >= 31)
    listening.cancel()
    assert told == list(range(1, 32))
    assert [frame.seq for frame in await client.history(user, 28, 10)] == [29, 30, 31]
    assert await client.head(user) == 31


async def test_a_stopped_shard_that_was_replaced_commits_nothing(
    instance: tuple[Client, RayTransport], database_url: str
) -> None:
    client, transport = instance
    user = _USERS[0]
    await client.submit(pay(user, "t0"))
    stats = (await transport.stats())[client.shard_of(user)]
    os.kill(stats["pid"], signal.SIGSTOP)
    stuck = asyncio.create_task(client.submit(pay(user, "t1")))
    await asyncio.sleep(0)
    usurper = PostgresJournal(database_url)
    term = await usurper.claim(stats["shard"], 2, "usurper")
    assert term == stats["term"] + 1
    os.kill(stats["pid"], signal.SIGCONT)
    outcome: Outcome = await stuck
    assert outcome.status in ("done", "replayed")
    after = (await transport.stats())[stats["shard"]]
    assert after["term"] > term
    assert after["pid"] != stats["pid"]
    assert await _verify(database_url, user) == 3
    await usurper.close()


async def test_a_new_layout_replaces_the_shards_and_keeps_every_turn(ray_session: None, database_url: str) -> None:
    namespace = f"test-{secrets.token_hex(4)}"
    for shards in (2, 3, 1):
        config = HostConfig(database_url, namespace, shards, "tests.support.counter:BEHAVIOUR")
        transport = await start_shards(config)
        async with pool(database_url, "test-client") as connections:
            client = Client(transport, shards, BEHAVIOUR, connections)
            outcomes = await client.submit_many([pay(user, f"t{shards}", 1) for user in _USERS])
            assert {outcome.status for outcome in outcomes} == {"done"}
            assert len(await transport.stats()) == shards
            again = await start_shards(config)
            assert [s["pid"] for s in await again.stats()] == [s["pid"] for s in await transport.stats()]
            await client.close()
        await transport.drain()
    for user in _USERS:
        assert await _verify(database_url, user) == 4
    transport.kill()
