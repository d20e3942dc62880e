"""More sockets than the front door carries: two live replicas, each reached on its own port.

`python -m tests.benchmarks.bench_direct [--sockets 12000] [--seconds 60] [--rate 150] [--events 100]` starts a Boond of
its own with `BOOND_DIRECT_SOCKETS=1`, asks it for its gateways, opens the sockets in one holder a gateway, pays
at random meanwhile, and prints what was open, what a socket costs the gateway, send to push, and what was lost.
The generator is on the same machine. Exit code 1: not all sockets were open at the end, or a turn came out of order.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from serve.embedded import processes
from serve.embedded.run_folder import RunFolder
from tests.acceptance.boond import BOOND, Boond, purchase, running

SOCKETS_A_USER = 5
SETTLED_S = 10.0
"""From the last socket that should be open to the first payment: what opening costs is not in send to push."""


def _gateway_memory(boond: Boond) -> int:
    """Return the resident bytes of the live replicas together."""
    own = processes.marked(RunFolder(boond.data).instance)
    live = [p.pid for p in own if Path(f"/proc/{p.pid}/cmdline").read_bytes().startswith(b"ray::ServeReplica:live:")]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096 for pid in live)


async def _hold(url: str, tokens: Path, sockets: int, rate: float, seconds: float) -> dict[str, Any]:
    """Open and hold sockets in a process of their own; returns its report."""
    command = ("-m", "loadtests.holder", "--url", url, "--tokens", tokens, "--sockets", str(sockets))
    holder = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--rate", str(rate), "--seconds", str(seconds), stdout=subprocess.PIPE
    )
    printed, _ = await holder.communicate()
    report: dict[str, Any] = msgspec.json.decode(printed)
    return report


async def _pay(client: httpx.AsyncClient, users: list[str], per_s: float, after_s: float) -> None:
    """Send payments of random users, each stamped with the moment it was due."""
    sending: set[asyncio.Task[Any]] = set()
    await asyncio.sleep(after_s)
    due = time.monotonic()
    for number in range(2**31):
        due += random.expovariate(per_s)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        metadata = {"sent_ns": str(int(due * 1e9))}
        body = purchase(f"B{number}", 19_725, user_id=random.choice(users), metadata=metadata)
        task = asyncio.create_task(client.post("/transactions", json=body))
        sending.add(task)
        task.add_done_callback(sending.discard)


def _tokens(boond: Boond, count: int) -> list[str]:
    """Return the tokens of users phone-0, phone-1 …"""
    command = [str(BOOND), "token", "--data", str(boond.data), "--user", "phone", "--count", str(count)]
    return subprocess.check_output(command, text=True).split()[-count:]


async def _measure(boond: Boond, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    count = asked.sockets // SOCKETS_A_USER
    printed = await asyncio.to_thread(_tokens, boond, count)
    users = [f"phone-{number}" for number in range(count)]
    headers = {"Authorization": f"Bearer {boond.token('wallet', 'service')}"}
    async with httpx.AsyncClient(base_url=f"{boond.url}/api/v1", headers=headers, timeout=30) as wallet:
        gateways = (await wallet.get("/live/gateways")).json()["gateways"]
        before, holders = _gateway_memory(boond), []
        for place, url in enumerate(gateways):
            tokens = folder / f"tokens-{place}"
            mine = range(place, count, len(gateways))
            tokens.write_text("\n".join(f"{users[n]} {printed[n]}" for n in mine))
            holders.append(_hold(url, tokens, asked.sockets // len(gateways), asked.rate, asked.seconds))
        open_s = asked.sockets / len(gateways) / asked.rate
        paying = asyncio.create_task(_pay(wallet, users, asked.events, open_s + SETTLED_S))
        peak = asyncio.create_task(_peak(boond))
        reports = await asyncio.gather(*holders)
        paying.cancel()
        peak.cancel()
    return _summary(reports, (await _result(peak)) - before, asked.sockets)


async def _peak(boond: Boond) -> int:
    """Return the most memory the gateways took until cancelled."""
    most = 0
    try:
        while True:
            most = max(most, _gateway_memory(boond))
            await asyncio.sleep(1)
    except asyncio.CancelledError:
        return most


async def _result(task: asyncio.Task[int]) -> int:
    await asyncio.wait({task})
    return task.result()


def _summary(reports: list[dict[str, Any]], grown: int, wanted: int) -> dict[str, Any]:
    held = [report["report"] for report in reports]
    return {
        "open": sum(one["open"] for one in held),
        "of": wanted,
        "gateway_kib_a_socket": round(grown / 1_024 / max(1, sum(one["open"] for one in held)), 1),
        "turns": sum(one["tally"]["turns"] for one in held),
        "out_of_order": sum(one["tally"]["out_of_order"] for one in held),
        "closed": [one["tally"]["closed"] for one in held],
        "refused": [one["tally"]["refused"] for one in held],
        "push": [one["figures"]["push"] for one in held],
        "generator_late": [one["figures"]["stalls"] for one in held],
    }


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=12_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to hold them, once open")
    parser.add_argument("--rate", type=float, default=150.0, help="sockets opened a second, at each gateway")
    parser.add_argument("--events", type=float, default=100.0, help="payments a second")
    asked = parser.parse_args()
    settings = {"BOOND_DIRECT_SOCKETS": "1", "BOOND_LIVE_REPLICAS": "2"}
    with (
        tempfile.TemporaryDirectory(prefix="bb-") as folder,
        running(Path(folder) / "data", settings=settings) as boond,
    ):
        found = asyncio.run(_measure(boond, asked, Path(folder)))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    return 0 if found["open"] == asked.sockets and not found["out_of_order"] else 1


if __name__ == "__main__":
    sys.exit(main())
