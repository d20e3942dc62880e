"""Events at a fixed rate, each at its own time whatever became of the last: a process of its own.

Run: python -m tests.benchmarks.sockets.pace, with a `Pace` as JSON on stdin; prints a `Paced`. An event carries the
time at which it was due, so a late generator counts against the server, never for it.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections import deque
from typing import cast

import msgspec
import uvloop
from msgspec import Struct
from typing_extensions import override

CONNECTIONS = 64


class Pace(Struct, frozen=True):
    """Events for random users `prefix` + 0..users-1, so many a second, for so long."""

    port: int
    path: str
    prefix: str
    users: int
    per_s: float
    seconds: float
    token: str = ""
    seed: int = 1


class Paced(Struct, frozen=True):
    """What was sent, and what the server said to it."""

    sent: int
    errors: int
    first_error: str
    p50_ms: float
    p99_ms: float
    late_ms_max: float
    """How late an event was written, at worst: the generator's own fault."""
    cpu_s: float


class _Line(asyncio.Protocol):
    """A keep-alive connection with one request in flight."""

    def __init__(self, sender: "_Sender") -> None:
        self._sender = sender
        self._buffer = b""
        self._due_ns = 0
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sender.idle.append(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._due_ns:
            self._sender.failed(b"the connection was lost")

    def send(self, due_ns: int, request: bytes) -> None:
        self._due_ns = due_ns
        self._transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        head = data.find(b"\r\n\r\n")
        at = data.lower().find(b"content-length: ", 0, head) + 16 if head >= 0 else 0
        if head < 0 or len(data) < head + 4 + int(data[at : data.index(b"\r", at)]):
            self._buffer = data
            return
        self._buffer = b""
        if data[9:10] != b"2":
            self._sender.failed(data)
        self._sender.latencies_ns.append(time.monotonic_ns() - self._due_ns)
        self._due_ns = 0
        self._sender.free(self)


class _Sender:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.idle: deque[_Line] = deque()
        self.latencies_ns: list[int] = []
        self.errors, self.first_error, self.late_ns = 0, "", 0
        self._waiting: deque[tuple[int, bytes]] = deque()

    def failed(self, answer: bytes) -> None:
        self.errors += 1
        self.first_error = self.first_error or answer[:300].decode("latin-1")

    def free(self, line: _Line) -> None:
        if self._waiting:
            self._send(line, *self._waiting.popleft())
        else:
            self.idle.append(line)

    def _send(self, line: _Line, due_ns: int, request: bytes) -> None:
        line.send(due_ns, request)

    async def run(self) -> Paced:
        pace, loop = self._pace, asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: _Line(self), "127.0.0.1", pace.port)
        rng = random.Random(pace.seed)
        began = time.monotonic_ns() + 50_000_000
        count = int(pace.per_s * pace.seconds)
        for number in range(count):
            due = began + int(number / pace.per_s * 1e9)
            while (early := due - time.monotonic_ns()) > 0:
                await asyncio.sleep(early / 1e9)
            self.late_ns = max(self.late_ns, -early)
            request = self._request(due, number, rng.randrange(pace.users))
            if self.idle:
                self._send(self.idle.popleft(), due, request)
            else:
                self._waiting.append((due, request))
        deadline = time.monotonic() + 30
        while len(self.latencies_ns) + self.errors < count and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self._paced(count)

    def _request(self, due_ns: int, number: int, user: int) -> bytes:
        pace = self._pace
        body = (
            f'{{"user_id":"{pace.prefix}{user}","external_id":"b-{due_ns}-{number}","source":"upi","amount":19725,'
            f'"currency":"INR","merchant":"Zomato"}}'
        )
        allowed = f"Authorization: Bearer {pace.token}\r\n" if pace.token else ""
        return (
            f"POST {pace.path} HTTP/1.1\r\nHost: 127.0.0.1:{pace.port}\r\n{allowed}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def _paced(self, count: int) -> Paced:
        spent = sorted(self.latencies_ns) or [0]
        return Paced(
            count,
            self.errors,
            self.first_error,
            spent[len(spent) // 2] / 1e6,
            spent[min(len(spent) - 1, int(len(spent) * 0.99))] / 1e6,
            self.late_ns / 1e6,
            time.process_time(),
        )


class Pacing:
    """A generator under way in a process of its own."""

    def __init__(self, pace: Pace) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.sockets.pace"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(pace))
        self._process.stdin.close()
        self._process.stdin = None

    def result(self) -> Paced:
        """Wait for its end."""
        printed, _ = self._process.communicate()
        return msgspec.json.decode(printed, type=Paced)


def drive(pace: Pace) -> Paced:
    """Send events in a process of its own, and wait for the end."""
    return Pacing(pace).result()


async def _main() -> None:
    pace = msgspec.json.decode(sys.stdin.buffer.read(), type=Pace)
    sys.stdout.buffer.write(msgspec.json.encode(await _Sender(pace).run()))


if __name__ == "__main__":
    uvloop.run(_main())
