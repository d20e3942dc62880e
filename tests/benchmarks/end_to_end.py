"""Load on running servers, from outside: Boond and the references one after another, by the same generator."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from msgspec import Struct

from tests.acceptance.boond import Boond, receive
from tests.benchmarks import load

USERS, BATCH = 5_000, 200
SINGLE_S, ALONE_S, BATCH_S, WARM_S = 4.0, 3.0, 4.0, 1.5
MANY_CONNECTIONS, BATCH_CONNECTIONS = 64, 4
SINGLES_PER_S_MAX, BATCHES_PER_S_MAX = 5_000, 120
PUSHES = 300
MEMORY_USERS, MEMORY_WARM_USERS, MEMORY_PURCHASES = 3_000, 500, 10


class Served(Struct, frozen=True):
    """What one server did: a request at a time, at 64 connections, and (where it takes them) batches of 200."""

    alone: load.Result
    many: load.Result
    batches: load.Result | None = None

    @property
    def batch_tx_s(self) -> float:
        """Transactions a second in batches."""
        return self.batches.per_s * BATCH if self.batches else 0.0


class Target(Struct, frozen=True):
    """Where a server takes purchases."""

    port: int
    single: str
    batch: str | None
    token: str | None = None
    more: bytes = b""
    """Members of a purchase that only this server wants."""


def _purchases(target: Target, count: int) -> list[bytes]:
    base = secrets.token_hex(4).encode()
    return [
        b'{"user_id":"u%d","external_id":"%s-%d","amount":19725,"currency":"INR","merchant":"Zomato",'
        b'"description":"UPI/DR/123/zomato food order"%s}' % (number * 7 % USERS, base, number, target.more)
        for number in range(count)
    ]


def _singles(target: Target, count: int) -> list[bytes]:
    return [load.post(target.port, target.single, body, target.token) for body in _purchases(target, count)]


def _batches(target: Target, path: str, count: int) -> list[bytes]:
    purchases = _purchases(target, count * BATCH)
    parts = [b"[" + b",".join(purchases[at : at + BATCH]) + b"]" for at in range(0, len(purchases), BATCH)]
    return [load.post(target.port, path, part, target.token) for part in parts]


def _drive(target: Target, requests: Sequence[bytes], connections: int, seconds: float) -> load.Result:
    result = load.drive(target.port, requests, connections, seconds)
    if result.errors:
        raise RuntimeError(f"{result.errors} of {result.answers} requests failed, the first with {result.first_error}")
    return result


def measure(target: Target) -> Served:
    """Measure one server, warm."""
    for path in filter(None, [target.batch]):
        _drive(target, _batches(target, path, 50), BATCH_CONNECTIONS, WARM_S)
    _drive(target, _singles(target, int(WARM_S * SINGLES_PER_S_MAX)), MANY_CONNECTIONS, WARM_S)
    many = _drive(target, _singles(target, int(SINGLE_S * SINGLES_PER_S_MAX)), MANY_CONNECTIONS, SINGLE_S)
    alone = _drive(target, _singles(target, int(ALONE_S * SINGLES_PER_S_MAX)), 1, ALONE_S)
    batches = None
    if target.batch:
        requests = _batches(target, target.batch, int(BATCH_S * BATCHES_PER_S_MAX))
        batches = _drive(target, requests, BATCH_CONNECTIONS, BATCH_S)
    return Served(alone, many, batches)


def boond_target(boond: Boond, token: str) -> Target:
    """Return where Boond takes purchases, in the name of a service."""
    return Target(boond.port, "/api/v1/transactions", "/api/v1/transactions/batch", token, b',"source":"upi"')


def reference_target(port: int, *, batches: bool) -> Target:
    """Return where a reference takes purchases."""
    return Target(port, "/v1/tx", "/v1/batch" if batches else None)


async def _push_ms(boond: Boond) -> list[float]:
    token = boond.token("bench-phone")
    headers = {"Authorization": f"Bearer {token}"}
    body: dict[str, Any] = {"source": "upi", "amount": 19_725, "currency": "INR", "merchant": "Zomato"}
    spent = []
    async with boond.live(token) as (socket, _), httpx.AsyncClient(base_url=boond.url, headers=headers) as client:
        for number in range(PUSHES):
            began = time.perf_counter()
            sending = asyncio.create_task(
                client.post("/api/v1/transactions", json={**body, "external_id": f"push-{number}"})
            )
            while (await receive(socket))["t"] != "turn":
                pass
            spent.append((time.perf_counter() - began) * 1e3)
            assert (await sending).status_code == 201
    return spent


def push_ms(boond: Boond) -> tuple[float, float]:
    """Return p50 and p99 of the time from sending a purchase to its push on the user's socket."""
    cuts = quantiles(asyncio.run(_push_ms(boond)), n=100)
    return cuts[49], cuts[98]


def _resident_bytes(pids: Sequence[int]) -> int:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * 4096


def _activate(target: Target, first: int, last: int) -> None:
    """Give users a jar, a budget and some purchases each."""

    def each(body: Callable[[int], dict[str, Any]], path: Callable[[int], str], method: str) -> list[bytes]:
        found = []
        for user in range(first, last):
            request = load.post(target.port, path(user), json.dumps(body(user)).encode(), target.token)
            found.append(request.replace(b"POST", method.encode(), 1))
        return found

    jars = each(lambda _: {"name": "Goa", "target_amount": 1_500_000}, lambda u: f"/api/v1/jars?user_id=m{u}", "POST")
    budgets = each(lambda _: {"limit": 500_000}, lambda u: f"/api/v1/budgets/food?user_id=m{u}", "PUT")
    purchases = [
        json.dumps(
            {"user_id": f"m{user}", "external_id": f"m-{number}", "source": "upi", "amount": 19_725, "currency": "INR"}
        ).encode()
        for number in range(MEMORY_PURCHASES)
        for user in range(first, last)
    ]
    assert target.batch is not None
    parts = [b"[" + b",".join(purchases[at : at + BATCH]) + b"]" for at in range(0, len(purchases), BATCH)]
    batches = [load.post(target.port, target.batch, part, target.token) for part in parts]
    for requests, connections in ((jars, 32), (budgets, 32), (batches, BATCH_CONNECTIONS)):
        _drive(target, requests, connections, 60.0)


def memory_kb_a_user(boond: Boond, target: Target) -> float:
    """Return by how many KiB the shards grow a user with a jar, a budget and ten purchases. Needs a fresh start."""
    _activate(target, 0, MEMORY_WARM_USERS)
    pids = boond.processes("ray::Shard")
    assert pids
    before = _resident_bytes(pids)
    _activate(target, MEMORY_WARM_USERS, MEMORY_WARM_USERS + MEMORY_USERS)
    return (_resident_bytes(pids) - before) / 1024 / MEMORY_USERS
