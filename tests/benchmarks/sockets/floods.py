"""Memory a socket, and pushes a second, of a bare uvicorn loop and of the gateway: alone, on Serve, through HAProxy.

All hold the same number of sockets and send the same texts to the same clients, one server after another in one run.
"""

import time
from collections.abc import Sequence

from msgspec import Struct

from tests.benchmarks.sockets import servers
from tests.benchmarks.sockets.crowd import Crowd
from tests.benchmarks.sockets.flood import PATH
from tests.benchmarks.sockets.job import SETTLE_S, WARM_SOCKETS, first_lines
from tests.benchmarks.sockets.servers import Server

FLOODS = 3
"""The first finds caches and buffers cold and is not counted."""
FRUGAL = ("--ws", "serve.live.frugal:FrugalSocket")
LAGGARD_RECEIVES_BYTES = 4_096
LAGGARD_ROUNDS, LAGGARD_STEP = 6_000, 100
"""Before a laggard is noticed the kernel buffers some two megabytes for it."""


class Flooded(Struct, frozen=True):
    """Pushes a second from the word to the last arrival, and the server's CPU for one; KiB of memory a socket."""

    name: str
    kb_a_socket: float
    open_s: float
    per_s: float
    cpu_us: float
    door_kb: float = 0.0


def _flood(crowd: Crowd, server: Server, sockets: int, rounds: int, *, bare: bool) -> tuple[float, float]:
    """Push `rounds` texts to every socket; returns pushes a second and CPU microseconds a push."""
    crowd.ask("clear")
    before_s = servers.cpu_s(server.pid)
    text = str(rounds) if bare else f'{{"t":"expense","id":"f","data":{rounds}}}'
    began_ns = crowd.ask("say", text=text)["at_ns"]
    seen = crowd.ask("wait", pushes=sockets * rounds)
    if seen["pushes"] != sockets * rounds or seen["gaps"] or seen["repeats"]:
        raise RuntimeError(f"{sockets * rounds} pushes expected, in order, but: {seen}")
    cpu_s = servers.cpu_s(server.pid) - before_s
    return sockets * rounds / (seen["last_ns"] - began_ns) * 1e9, cpu_s / sockets / rounds * 1e6


def _measure(name: str, server: Server, sockets: int, pushes: int, firsts: str) -> Flooded:
    bare = not firsts
    with Crowd() as crowd:
        crowd.ask("open", port=server.port, path=server.path, count=WARM_SOCKETS, firsts=firsts)
        crowd.ask("leave")
        time.sleep(SETTLE_S)
        before_kb = servers.resident_kb(server.pid)
        door_kb = servers.resident_kb(server.door) if server.door else 0.0
        opened = crowd.ask("open", port=server.port, path=server.path, count=sockets, firsts=firsts)
        if not opened["done"]:
            raise RuntimeError(f"{name}: only {opened['ready']} of {sockets} sockets became ready")
        time.sleep(SETTLE_S)
        kb = (servers.resident_kb(server.pid) - before_kb) / sockets
        door_kb = (servers.resident_kb(server.door) - door_kb) / sockets if server.door else 0.0
        rounds = max(1, pushes // sockets)
        seen = [_flood(crowd, server, sockets, rounds, bare=bare) for _ in range(FLOODS)][1:]
    per_s, cpu_us = (sum(column) / len(seen) for column in zip(*seen, strict=True))
    return Flooded(name, kb, opened["seconds"], per_s, cpu_us, door_kb)


def _users(sockets: int) -> list[bytes]:
    return [b'{"t":"auth","token":"u%d"}' % number for number in range(sockets)]


def measure(sockets: int, pushes: int) -> list[Flooded]:
    """Measure all four; the bare loop comes first, and again last: their distance is the noise."""
    found = []

    def bare() -> Flooded:
        with servers.uvicorn("tests.benchmarks.sockets.bare:build", "/") as server:
            return _measure("bare uvicorn loop", server, sockets, pushes, "")

    with first_lines(_users(max(sockets, WARM_SOCKETS))) as firsts:
        found.append(bare())
        with servers.uvicorn("tests.benchmarks.sockets.flood:build", PATH, *FRUGAL) as server:
            found.append(_measure("gateway", server, sockets, pushes, firsts))
        for name in ("gateway on Serve", "gateway through HAProxy"):
            with servers.serve("tests.benchmarks.sockets.flood_up", PATH) as ([direct], door):
                server = direct if name == "gateway on Serve" else door
                found.append(_measure(name, server, sockets, pushes, firsts))
        found.append(bare())
    return found


def two_replicas(sockets: int) -> list[tuple[int, float, float]]:
    """Open `sockets` on the ports of two replicas; returns for each how many, KiB a socket, seconds to open."""
    half = sockets // 2
    found = []
    with (
        first_lines(_users(sockets)) as firsts,
        servers.serve("tests.benchmarks.sockets.flood_up", PATH) as (replicas, _),
        Crowd() as crowd,
    ):
        if len(replicas) != 2:
            raise RuntimeError(f"two replicas expected, {len(replicas)} run: set BOOND_LIVE_REPLICAS=2")
        before = [servers.resident_kb(replica.pid) for replica in replicas]
        for number, replica in enumerate(replicas):
            opened = crowd.ask(
                "open", port=replica.port, path=PATH, count=half, firsts=firsts, skip=number * half, within_s=120.0
            )
            time.sleep(SETTLE_S)
            kb = (servers.resident_kb(replica.pid) - before[number]) / half
            found.append((opened["ready"], kb, opened["seconds"]))
        closed = crowd.ask("report")["closed"]
        if closed:
            raise RuntimeError(f"{closed} sockets were closed meanwhile")
    return found


def laggards(sockets: int, lagging: int) -> tuple[Sequence[float], Sequence[float], dict[str, int]]:
    """Push to `sockets`, of which `lagging` stop reading in the second half.

    Returns CPU microseconds a push, and pushes a second to those that read, for both halves; and how laggards ended.
    """
    keeping_up = sockets - lagging
    with (
        first_lines(_users(sockets)) as firsts,
        servers.uvicorn("tests.benchmarks.sockets.flood:build", PATH, *FRUGAL) as server,
        Crowd() as crowd,
    ):
        open_them = {"port": server.port, "path": PATH, "firsts": firsts}
        crowd.ask("open", count=keeping_up, **open_them)
        crowd.ask("open", count=lagging, skip=keeping_up, receive_bytes=LAGGARD_RECEIVES_BYTES, **open_them)
        halves = []
        for readers in (sockets, keeping_up):
            if readers == keeping_up:
                crowd.ask("read", count=lagging, on=False)
            before_s, spent_s = servers.cpu_s(server.pid), 0.0
            for _ in range(LAGGARD_ROUNDS // LAGGARD_STEP):
                crowd.ask("clear")
                said = crowd.ask("say", text=f'{{"t":"expense","id":"f","data":{LAGGARD_STEP}}}')
                seen = crowd.ask("wait", pushes=readers * LAGGARD_STEP)
                spent_s += (seen["last_ns"] - said["at_ns"]) / 1e9
            pushes = readers * LAGGARD_ROUNDS
            halves.append(((servers.cpu_s(server.pid) - before_s) / pushes * 1e6, pushes / spent_s))
        crowd.ask("clear")
        crowd.ask("read", count=lagging, on=True)
        crowd.ask("wait", pushes=10**9, within_s=3.0)
        return halves[0], halves[1], crowd.ask("report")["codes"]
