"""The stack without Ray: REST, a socket on either gateway, and a shard that is killed and comes back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.acceptance.boond import purchase
from tests.support.stack import Stack, stack


async def frames_until(socket: Any, kind: str) -> list[dict[str, Any]]:
    """Return the frames up to the first of this kind."""
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not frames or frames[-1]["t"] != kind:
            frames.append(json.loads(await socket.recv()))
    return frames


async def pay(http: httpx.AsyncClient, running: Stack, external_id: str) -> dict[str, Any]:
    """Pay as asha; returns the receipt."""
    answer = await http.post("/transactions", json=purchase(external_id, 19_725), headers=running.bearer())
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


@pytest.mark.parametrize("path", ["/api/v1/live", "/api/v1/expenses/real-time"])
async def test_a_payment_is_pushed_also_after_its_shard_was_killed(
    database_url: str, tmp_path: Path, path: str
) -> None:
    async with (
        stack(database_url, tmp_path, shards=2) as running,
        httpx.AsyncClient(base_url=f"{running.url}/api/v1", timeout=30) as http,
        connect(f"ws://127.0.0.1:{running.port}{path}", compression=None) as socket,
    ):
        assert (await http.get("/health/ready")).status_code == 200
        await socket.send(json.dumps({"t": "auth", "token": running.token()}))
        await frames_until(socket, "snapshot")
        receipt = await pay(http, running, "T1")
        turn = (await frames_until(socket, "turn"))[-1]
        assert (turn["seq"], turn["events"][0]["data"]) == (receipt["seq"], receipt)
        for number in range(2):
            await running.shards.kill(number)
        paying = asyncio.create_task(pay(http, running, "T2"))
        for number in range(2):
            await running.shards.start(number)
        assert (await paying)["seq"] == receipt["seq"] + 1
        assert (await frames_until(socket, "turn"))[-1]["seq"] == receipt["seq"] + 1
        gateway = running.live if path == "/api/v1/live" else running.api
        assert gateway.sockets == 1
