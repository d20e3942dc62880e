"""What was acknowledged is never lost, whatever is killed next."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import httpx
import psycopg
from typing_extensions import override

from serve.client import Position, connect
from tests.acceptance.boond import Boond, purchase, running, until
from tests.support.postgres import new_database, server_url


class Payer(threading.Thread):
    """Pays one event after another until told to stop, and keeps what was acknowledged."""

    def __init__(self, client: httpx.Client, prefix: str) -> None:
        super().__init__(daemon=True)
        self.client, self.prefix = client, prefix
        self.acknowledged: dict[str, int] = {}
        self.statuses: set[int] = set()
        self.halt = threading.Event()

    @override
    def run(self) -> None:
        """Pay; an event without an answer is sent again, as a wallet does."""
        number = 0
        while not self.halt.is_set():
            external_id, amount = f"{self.prefix}{number}", 1_001 + number % 900
            try:
                answer = self.client.post("/transactions", json=purchase(external_id, amount))
            except httpx.HTTPError:
                continue
            self.statuses.add(answer.status_code)
            if answer.status_code in (200, 201):
                self.acknowledged[external_id] = amount
                number += 1


def amounts(client: httpx.Client) -> dict[str, int]:
    """Return every recorded transaction by external id; fails on one that is there twice."""
    found: dict[str, int] = {}
    cursor: str | None = None
    while True:
        page = client.get("/transactions", params={"limit": "500", **({"cursor": cursor} if cursor else {})}).json()
        for item in page["items"]:
            assert item["external_id"] not in found, f"{item['external_id']} is there twice"
            found[item["external_id"]] = item["amount"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def saved(client: httpx.Client) -> int:
    total: int = client.get("/overview").json()["total_saved"]
    return total


async def resumed(boond: Boond, token: str, epoch: str, head: int) -> list[int]:
    """Return the seqs of every turn up to the head, from the first."""
    async with asyncio.timeout(60), connect(boond.url, token, resume=Position(epoch, 0)) as live:
        return [(await anext(live)).seq for _ in range(head)]


async def epoch_of(boond: Boond, token: str) -> str:
    async with connect(boond.url, token) as live:
        assert live.position is not None
        return live.position.epoch


def check_everything_is_there(boond: Boond, token: str, acknowledged: dict[str, int], epoch: str) -> None:
    client = boond.client(token)
    found = amounts(client)
    assert {k: found.get(k) for k in acknowledged} == acknowledged
    assert saved(client) == sum(-amount % 1_000 for amount in found.values())
    head = client.get("/overview").json()["seq"]
    assert asyncio.run(resumed(boond, token, epoch, head)) == list(range(1, head + 1))


def test_kill_9_of_a_shard_and_then_of_everything_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "data") as boond:
        me = boond.sign_up("survivor@example.com")
        client = boond.client(me["access_token"])
        client.patch("/profile", json={"rounding": {"daily_cap": 100_000}})
        epoch = asyncio.run(epoch_of(boond, me["access_token"]))
        payer = Payer(client, "A")
        payer.start()
        until(lambda: len(payer.acknowledged) > 40, "40 payments before the kill")
        for pid in boond.processes("ray::Shard"):
            os.kill(pid, signal.SIGKILL)
        before = len(payer.acknowledged)
        until(lambda: len(payer.acknowledged) > before + 20, "20 payments after a shard was killed", 40)
        assert payer.statuses <= {200, 201, 503}
        boond.kill()
        payer.halt.set()
        payer.join(35)
        port, data = boond.port, boond.data
    with running(data, port) as again:
        token = again.token(me["user_id"])
        check_everything_is_there(again, token, payer.acknowledged, epoch)
        assert again.client(token).post("/transactions", json=purchase("AFTER", 1_001)).status_code == 201
        assert again.stop() == 0
    with running(data, port) as third:
        acknowledged = {**payer.acknowledged, "AFTER": 1_001}
        check_everything_is_there(third, third.token(me["user_id"]), acknowledged, epoch)


def test_two_instances_run_side_by_side(boond: Boond, tmp_path: Path) -> None:
    with running(tmp_path / "other") as other:
        mine, theirs = boond.sign_up("here@example.com"), other.sign_up("here@example.com")
        boond.client(mine["access_token"]).post("/transactions", json=purchase("T1", 1_001))
        assert other.client(theirs["access_token"]).get("/transactions").json()["items"] == []
        assert other.client(mine["access_token"]).get("/transactions").status_code == 401
        assert other.stop(signal.SIGTERM) == 0
    assert boond.client().get("/health/ready").status_code == 200


def test_an_external_postgres_is_used_by_the_same_code(tmp_path: Path) -> None:
    with new_database(server_url()) as url, running(tmp_path / "data", settings={"BOOND_POSTGRES_URL": url}) as boond:
        me = boond.sign_up("external@example.com")
        client = boond.client(me["access_token"])
        assert client.post("/transactions", json=purchase("T1", 19_725)).status_code == 201
        assert not (boond.data / "postgres").exists()
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM journal WHERE command_id = 'tx:user/upi:T1:settled'"
            ).fetchone()
        assert row == (1,)
