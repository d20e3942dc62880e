"""The socket's twins over a real server, real shards and Postgres: tickets, events, the list, the tenant's feed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.acceptance.boond import purchase
from tests.support.stack import Stack, stack


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with stack(database_url, tmp_path, shards=2) as opened:
        yield opened


@pytest.fixture
async def http(running: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", timeout=30) as client:
        yield client


async def pay(http: httpx.AsyncClient, running: Stack, external_id: str, user: str = "asha") -> int:
    answer = await http.post("/transactions", json=purchase(external_id, 19_725), headers=running.bearer(user))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["seq"])


class Events:
    """The events of a stream, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.headers["content-type"] == "text/event-stream"
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """Return the fields of the next event that has a name."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(20):
            async for line in self._lines:
                if not line and "event" in fields:
                    return fields
                name, _, value = line.partition(": ")
                fields = {**fields, name: value} if line else {}
        raise AssertionError(f"the stream ended in the middle of {fields}")

    async def until(self, kind: str) -> dict[str, str]:
        while (found := await self.next())["event"] != kind:
            pass
        return found


async def bought(http: httpx.AsyncClient, running: Stack) -> str:
    answer = await http.post("/live/ticket", headers=running.bearer())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


async def test_a_ticket_opens_one_socket(http: httpx.AsyncClient, running: Stack) -> None:
    auth = json.dumps({"t": "auth", "ticket": await bought(http, running)})
    url = f"ws://127.0.0.1:{running.port}/api/v1/live"
    async with connect(url, compression=None) as first, connect(url, compression=None) as second:
        await first.send(auth)
        assert [json.loads(await first.recv())["t"] for _ in range(3)] == ["hello", "ready", "snapshot"]
        await second.recv()
        await second.send(auth)
        with pytest.raises(ConnectionClosed) as closed:
            await second.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001


async def test_without_the_table_a_ticket_is_not_called_bad(
    http: httpx.AsyncClient, running: Stack, database_url: str
) -> None:
    ticket = await bought(http, running)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE spent_tickets RENAME TO elsewhere")
        answer = await http.get("/live/sse", params={"ticket": ticket})
        admin.execute("ALTER TABLE elsewhere RENAME TO spent_tickets")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_payment_is_an_event_and_a_stream_goes_on_where_the_last_one_ended(
    http: httpx.AsyncClient, running: Stack
) -> None:
    ticket = await bought(http, running)
    async with http.stream("GET", "/live/sse", params={"ticket": ticket}) as answer:
        events = Events(answer)
        snapshot = await events.until("snapshot")
        seq = await pay(http, running, "T1")
        turn = await events.until("turn")
    assert json.loads(turn["data"])["seq"] == seq
    assert turn["id"] == snapshot["id"].rpartition(":")[0] + f":{seq}"
    for number in range(2, 5):
        await pay(http, running, f"T{number}")
    headers = running.bearer() | {"Last-Event-ID": turn["id"]}
    async with http.stream("GET", "/live/sse", headers=headers) as answer:
        events = Events(answer)
        resumed = [json.loads((await events.until("turn"))["data"]) for _ in range(3)]
    assert [one["seq"] for one in resumed] == [seq + 1, seq + 2, seq + 3]
    listed = (await http.get("/turns", params={"after": seq}, headers=running.bearer())).json()
    assert listed["items"] == [{key: value for key, value in one.items() if key != "t"} for one in resumed]
    assert listed["epoch"] == turn["id"].rpartition(":")[0]
    assert running.live.sockets <= 1


async def test_a_tenants_back_end_hears_of_the_payments_of_all_users_on_all_shards(
    http: httpx.AsyncClient, running: Stack
) -> None:
    service = running.bearer("wallet", "service")

    async def ask(**query: Any) -> dict[str, Any]:
        answer = await http.get("/feed", params=query, headers=service)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    begun = await ask(**{"from": "now"})
    waiting = asyncio.create_task(ask(cursor=begun["next_cursor"], wait_s=15))
    users = [f"user-{number}" for number in range(8)]
    for user in users:
        await pay(http, running, "T1", user)
    page = await waiting
    seen = list(page["items"])
    assert seen
    while len({item["user_id"] for item in seen}) < len(users) or page["items"]:
        page = await ask(cursor=page["next_cursor"], limit=3, wait_s=0.5)
        seen += page["items"]
    assert {item["user_id"] for item in seen} == set(users)
    for user in users:
        assert [item["seq"] for item in seen if item["user_id"] == user] == [1, 2]
