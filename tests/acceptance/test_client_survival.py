"""Clients of the live stream while what serves them is killed: every turn of every one, once and in order."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx

from serve.client import Limits, connect
from serve.embedded import processes
from serve.embedded.run_folder import RunFolder
from tests.acceptance.boond import Boond, purchase, running

PEOPLE = 8
LIMITS = Limits(backoff_max_s=2.0)


class Phone:
    """One person's application."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.seqs: list[int] = []
        self.seen: list[str] = []
        self.reconnects = 0

    async def watch(self, boond: Boond, token: str) -> None:
        """Take every turn until the last payment."""
        async with connect(boond.url, token, limits=LIMITS) as live:
            assert live.position is not None
            self.seqs.append(live.position.seq)
            while f"{self.user}-end" not in self.seen[-1:]:
                turn = await anext(live)
                self.seqs.append(turn.seq)
                paid = [event.data for event in turn.events if event.type == "transaction_recorded"]
                self.seen += [receipt["external_id"] for receipt in paid]
                self.reconnects = live.reconnects


class Wallet:
    """Pays for everybody, one batch after another, each until it is answered."""

    def __init__(self, boond: Boond, phones: list[Phone]) -> None:
        self.phones = phones
        self.rounds = 0
        self._http = httpx.AsyncClient(
            base_url=f"{boond.url}/api/v1",
            timeout=30,
            headers={"Authorization": f"Bearer {boond.token('wallet', 'service')}"},
        )

    async def pay(self, name: str) -> None:
        """Report one payment of everybody."""
        batch = [purchase(f"{phone.user}-{name}", 1_001, user_id=phone.user) for phone in self.phones]
        while True:
            try:
                answer = await self._http.post("/transactions/batch", json=batch)
            except httpx.HTTPError:
                continue
            if answer.status_code == 200 and all("external_id" in result for result in answer.json()["results"]):
                return
            assert answer.status_code in (200, 503), answer.text
            await asyncio.sleep(0.1)

    async def work(self, halt: asyncio.Event) -> None:
        """Pay until told to stop, then once more."""
        while not halt.is_set():
            await self.pay(str(self.rounds))
            self.rounds += 1
        await self.pay("end")

    async def rounds_pass(self, count: int) -> None:
        """Wait until so many more rounds were answered and seen by everybody."""
        until = self.rounds + count
        async with asyncio.timeout(60):
            while self.rounds < until or any(len(phone.seen) < until for phone in self.phones):
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._http.aclose()


def kill(boond: Boond, begins: str) -> None:
    """`kill -9` of every process of this instance whose title begins so."""
    titled = [
        process.pid
        for process in processes.marked(RunFolder(boond.data).instance)
        if Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(begins.encode())
    ]
    assert titled, begins
    for pid in titled:
        os.kill(pid, signal.SIGKILL)


async def test_kill_9_of_live_replica_and_shard_loses_and_repeats_no_turn(tmp_path: Path) -> None:
    with running(tmp_path / "data") as boond:
        phones = [Phone(f"p{number}") for number in range(PEOPLE)]
        tokens = {phone.user: boond.token(phone.user) for phone in phones}
        wallet, halt = Wallet(boond, phones), asyncio.Event()
        async with asyncio.timeout(150), asyncio.TaskGroup() as group:
            for phone in phones:
                group.create_task(phone.watch(boond, tokens[phone.user]))
            await _until(lambda: all(phone.seqs for phone in phones))
            group.create_task(wallet.work(halt))
            await wallet.rounds_pass(10)
            for victims in (("ray::ServeReplica:live",), ("ray::Shard",), ("ray::ServeReplica:live", "ray::Shard")):
                for victim in victims:
                    kill(boond, victim)
                await wallet.rounds_pass(10)
            halt.set()
        await wallet.close()
        for phone in phones:
            assert phone.seqs == list(range(phone.seqs[0], phone.seqs[0] + len(phone.seqs)))
            assert phone.seen == [f"{phone.user}-{number}" for number in range(wallet.rounds)] + [f"{phone.user}-end"]
            assert phone.reconnects >= 2


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.05)
