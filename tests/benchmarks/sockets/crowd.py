"""A process full of phones, told what to do by lines of JSON: open, say, wait, report, storm, lag, read, leave.

Run by `Crowd`, which is its other end; the phones then take their CPU from a process of their own.
"""

import asyncio
import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop

from tests.benchmarks.sockets.phone import Phone, Tally, upgrade

OPENING_AT_ONCE = 64
_COUNTED = ("ready", "pushes", "repeats", "gaps", "closed", "refused")


def _lines(path: str) -> list[bytes]:
    return Path(path).read_bytes().splitlines()


class _Phones:
    """The phones of this process. `firsts` is a file of whose lines the nth is what socket n says first."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.phones: list[Phone] = []

    async def open(
        self,
        port: int,
        path: str,
        count: int,
        firsts: str = "",
        skip: int = 0,
        receive_bytes: int = 0,
        within_s: float = 120.0,
    ) -> dict[str, Any]:
        """Open more sockets, some at a time; `skip` lines of `firsts` are left out."""
        lines = _lines(firsts)[skip : skip + count] if firsts else [b""] * count
        began, self.tally.ready = time.monotonic(), 0
        coming = [Phone(upgrade(port, path), line, self.tally) for line in lines]
        gate = asyncio.Semaphore(OPENING_AT_ONCE)

        async def connect(phone: Phone) -> None:
            async with gate:
                await self._connect(port, phone, receive_bytes)
                while not phone.is_done:
                    await asyncio.sleep(0.005)

        self.phones += coming
        await asyncio.wait([asyncio.create_task(connect(phone)) for phone in coming], timeout=within_s)
        return self._report(began) | {"done": self.tally.ready == count}

    async def _connect(self, port: int, phone: Phone, receive_bytes: int = 0) -> None:
        line = socket.socket()
        line.setblocking(False)
        if receive_bytes:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.create_connection(lambda: phone, sock=line)

    async def say(self, text: str) -> dict[str, Any]:
        """Let the first phone send a text."""
        self.phones[0].say(text.encode())
        return {"at_ns": time.monotonic_ns()}

    async def wait(self, pushes: int = 0, timed: int = 0, within_s: float = 60.0) -> dict[str, Any]:
        """Wait for so many pushes, or so many stamped ones, counted from the last `clear`."""
        began, tally = time.monotonic(), self.tally
        await self._until(lambda: tally.pushes >= pushes and len(tally.latencies_ns) >= timed, within_s)
        return self._report(began)

    async def clear(self) -> dict[str, Any]:
        """Count from zero."""
        tally = self.tally
        tally.pushes = tally.repeats = tally.gaps = tally.closed = tally.last_ns = 0
        tally.latencies_ns.clear()
        tally.codes.clear()
        return {}

    async def storm(self, port: int, path: str, count: int, firsts: str) -> dict[str, Any]:
        """Hang up `count` phones without a word, and let all resume at once from where they were."""
        leaving, staying = self.phones[:count], self.phones[count:]
        tally = self.tally
        tally.ready = tally.closed = 0
        coming = []
        for phone, line in zip(leaving, _lines(firsts), strict=False):
            phone.leave()
            first = {**json.loads(line), "resume": {"epoch": tally.epoch, "seq": phone.seq or 0}}
            coming.append(Phone(upgrade(port, path), json.dumps(first).encode(), tally, phone.seq))
        self.phones = coming + staying
        began = time.monotonic()
        await asyncio.gather(*(self._connect(port, phone) for phone in coming))
        await self._until(lambda: tally.ready >= count, 120.0)
        return self._report(began) | {"done": tally.ready == count, "others_closed": tally.closed - count}

    async def read(self, count: int, on: bool) -> dict[str, Any]:
        """Let the last `count` phones stop reading, or go on."""
        for phone in self.phones[-count:]:
            phone.read(on=on)
        return {}

    async def report(self) -> dict[str, Any]:
        """Return what was seen since the last `clear`."""
        return self._report(time.monotonic())

    async def leave(self) -> dict[str, Any]:
        """Hang up all, and forget what was seen."""
        for phone in self.phones:
            phone.leave()
        self.phones, self.tally = [], Tally()
        return {}

    async def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not condition() and time.monotonic() < deadline:
            await asyncio.sleep(0.005)

    def _report(self, began: float) -> dict[str, Any]:
        tally = self.tally
        spent = sorted(tally.latencies_ns)

        def at(share: float) -> float:
            return spent[min(len(spent) - 1, int(len(spent) * share))] / 1e6 if spent else 0.0

        used = resource.getrusage(resource.RUSAGE_SELF)
        counted: dict[str, Any] = {name: getattr(tally, name) for name in _COUNTED}
        return counted | {
            "codes": {str(code): count for code, count in tally.codes.items()},
            "seconds": time.monotonic() - began,
            "last_ns": tally.last_ns,
            "timed": len(spent),
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
            "max_ms": at(1.0),
            "cpu_s": used.ru_utime + used.ru_stime,
        }


class Crowd:
    """The other end of a process of phones; ends it when closed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sockets.crowd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Have one thing done; returns its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the phones ended at {do!r} with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()
        self._process.wait(30)


async def _main() -> None:
    phones = _Phones()
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        answer = await getattr(phones, request.pop("do"))(**request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_main())
