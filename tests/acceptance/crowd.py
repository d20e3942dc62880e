"""Phones that stay connected whatever happens to the servers, and note what they saw: turns, close codes, refusals."""

import asyncio
import contextlib
import json
import logging
import random
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.acceptance.boond import BOOND, Boond, purchase

BACKOFF_S = 0.3
LOG = logging.getLogger(__name__)
LIVE = "/api/v1/live"


Where = Callable[["Phone"], Awaitable[str]]
"""Where a phone opens its next socket."""


class Phone:
    """One socket of one user, opened again and resumed as often as it ends."""

    def __init__(self, where: Where, user: str, token: str) -> None:
        self.where, self.user, self.token = where, user, token
        self.seqs: list[int] = []
        self.closes: list[int] = []
        self.refused = 0
        self.open = False
        self._epoch: str | None = None

    async def live(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._once()
            except ConnectionClosed as closed:
                self.closes.append(closed.rcvd.code if closed.rcvd else 1006)
            except (OSError, InvalidHandshake, TimeoutError, EOFError, httpx.HTTPError):
                self.refused += 1
            finally:
                self.open = False
            await asyncio.sleep(random.uniform(0, 2 * BACKOFF_S))

    async def _once(self) -> None:
        url = await self.where(self)
        async with connect(url, subprotocols=["boond.v1"], compression=None) as ws:  # type: ignore[list-item]
            auth: dict[str, Any] = {"t": "auth", "token": self.token}
            # A line that broke between ready and the snapshot has left no place to go on from.
            if self.seqs:
                auth["resume"] = {"epoch": self._epoch, "seq": self.seqs[-1]}
            await ws.send(json.dumps(auth))
            while True:
                self._take(json.loads(await ws.recv()))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["t"] == "ready":
            self.open, self._epoch = True, frame["epoch"]
        elif frame["t"] == "snapshot" or (frame["t"] == "turn" and frame["seq"] > self.seqs[-1]):
            self.seqs.append(frame["seq"])


class Crowd:
    """Many phones, and a wallet that goes on sending payments of their users."""

    def __init__(self, boond: Boond, users: int, phones_each: int, *, name: str = "crowd", path: str = LIVE) -> None:
        self.boond, self.name = boond, name
        self.users = [f"{name}-{n}" for n in range(users)]
        printed = subprocess.check_output(
            [BOOND, "token", "--data", str(boond.data), "--user", name, "--count", str(users)], text=True
        )
        tokens = dict(zip(self.users, printed.strip().splitlines()[-users:], strict=True))
        self.where: Where = self.at_the_front_door
        """May be replaced before the phones connect."""
        self._url = f"ws://127.0.0.1:{boond.port}{path}"
        self.phones = [Phone(self._where, user, tokens[user]) for user in self.users for _ in range(phones_each)]
        self.paid = 0
        self.wallet_troubles: list[str] = []
        self.troubled = False
        """Whether the wallet's last payment failed; it tries again."""
        self._headers = {"Authorization": f"Bearer {boond.token('wallet', 'service')}"}

    async def _where(self, phone: Phone) -> str:
        return await self.where(phone)

    async def at_the_front_door(self, _phone: Phone) -> str:
        """Return the address that everybody knows."""
        return self._url

    async def past_the_front_door(self, phone: Phone) -> str:
        """Ask for the replicas' own addresses and take any; the front door's when there is none."""
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {phone.token}"}) as http:
            answer = await http.get(f"{self.boond.url}/api/v1/live/gateways", timeout=10)
        addresses = answer.json()["gateways"] if answer.status_code == 200 else []
        return str(random.choice(addresses)) if addresses else self._url

    @property
    def closes(self) -> Counter[int]:
        """How many sockets ended with which code."""
        return Counter(code for phone in self.phones for code in phone.closes)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["Crowd"]:
        """Open every phone, and keep paying until the end."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(phone.live()) for phone in self.phones]
            await self.until(lambda: all(phone.open for phone in self.phones), "every phone is connected", 60)
            tasks.append(group.create_task(self._pay()))
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()

    async def _pay(self) -> None:
        async with httpx.AsyncClient(base_url=f"{self.boond.url}/api/v1", headers=self._headers) as wallet:
            while True:
                body = purchase(f"{self.name}-{self.paid}", 19_725, user_id=random.choice(self.users))
                try:
                    answer = await wallet.post("/transactions", json=body, timeout=30)
                    self.troubled = answer.status_code not in (200, 201)
                    trouble = str(answer.status_code)
                except httpx.HTTPError as error:
                    self.troubled, trouble = True, repr(error)
                if self.troubled:
                    self.wallet_troubles.append(trouble)
                else:
                    self.paid += 1
                await asyncio.sleep(0.02)

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Wait until a condition holds; fail naming it."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}; {self.summary()}"
            await asyncio.sleep(0.05)

    async def everybody_is_back(self, seconds: float = 40) -> None:
        """Wait until every phone is connected; says how long that took."""
        began = time.monotonic()
        await self.until(lambda: all(phone.open for phone in self.phones), "every phone is connected again", seconds)
        LOG.info("everybody is back %.1f s after; %s", time.monotonic() - began, self.summary())

    async def every_turn_is_seen(self, seconds: float = 30) -> None:
        """Wait until every phone has every turn of its user, dense and in order."""
        heads = await asyncio.to_thread(self._heads)
        await self.until(
            lambda: all(phone.seqs and phone.seqs[-1] >= heads[phone.user] for phone in self.phones),
            "every phone has seen the head",
            seconds,
        )
        for phone in self.phones:
            assert phone.seqs == list(range(phone.seqs[0], phone.seqs[-1] + 1)), phone.user

    def _heads(self) -> dict[str, int]:
        with httpx.Client(base_url=f"{self.boond.url}/api/v1", headers=self._headers, timeout=30) as client:
            return {user: client.get("/overview", params={"user_id": user}).json()["seq"] for user in self.users}

    def summary(self) -> str:
        """Return what happened so far in a line."""
        open_, refused = sum(p.open for p in self.phones), sum(p.refused for p in self.phones)
        return (
            f"{open_} open, closes {dict(self.closes)}, {refused} refused, {self.paid} paid, {self.wallet_troubles[:3]}"
        )
