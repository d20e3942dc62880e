"""A load generator that costs little: on two cores it shares them with what it measures.

Keep-alive connections with one request in flight each, requests built beforehand, answers read no further than their
status and length. Its own CPU share is part of the result.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from statistics import quantiles
from typing import Any, cast

import uvloop
from msgspec import Struct
from typing_extensions import override

_GRACE_S = 30.0


class Result(Struct, frozen=True):
    """What a run saw. Times in milliseconds; `cpu` is the generator's own share of one core."""

    answers: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu: float
    first_error: str = ""

    @property
    def per_s(self) -> float:
        """Good answers a second."""
        return (self.answers - self.errors) / self.seconds


class _Run:
    """What the connections of one run share."""

    def __init__(self, requests: Iterator[bytes], until: float, connections: int) -> None:
        self.requests = requests
        self.until = until
        self.open = connections
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def failed(self, answer: bytes) -> None:
        self.errors += 1
        self.first_error = self.first_error or answer[:400].decode("latin-1")

    def closed(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.ended.done():
            self.ended.set_result(time.perf_counter())


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._missing = 0
        self._sent = 0.0
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        now = time.perf_counter()
        request = next(self._run.requests, None) if now < self._run.until else None
        if request is None:
            self._transport.close()
            return
        self._sent = now
        self._transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            data = self._buffer + data
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self._buffer = data
                return
            self._buffer = b""
            if data[9:10] != b"2":
                self._run.failed(data)
            self._missing = head + 4 + _content_length(data, head) - len(data)
        if self._missing <= 0:
            self._run.latencies.append(time.perf_counter() - self._sent)
            self._send()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._run.closed()


def _content_length(answer: bytes, head: int) -> int:
    at = answer.find(b"ontent-length:", 0, head)
    if at < 0:
        at = answer.find(b"ontent-Length:", 0, head)
    if at < 0:
        raise ValueError(f"an answer without a length: {answer[:head]!r}")
    return int(answer[at + 14 : answer.find(b"\r\n", at)])


def post(port: int, path: str, body: bytes, token: str | None = None) -> bytes:
    """Return a POST of JSON, ready to send."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Result:
    began, cpu = time.perf_counter(), time.process_time()
    run = _Run(iter(requests), began + seconds, connections)
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: _Connection(run), "127.0.0.1", port) for _ in range(connections))
    )
    ended = await asyncio.wait_for(run.ended, seconds + _GRACE_S)
    spent = ended - began
    cuts = quantiles(run.latencies, n=100) if len(run.latencies) > 1 else [*run.latencies, 0.0] * 99
    return Result(
        answers=len(run.latencies),
        errors=run.errors,
        seconds=spent,
        p50_ms=cuts[49] * 1e3,
        p99_ms=cuts[98] * 1e3,
        cpu=(time.process_time() - cpu) / spent,
        first_error=run.first_error,
    )


def drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Result:
    """Send `requests` over so many connections until the time or they are over."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result: Any = runner.run(_drive(port, requests, connections, seconds))
    return cast("Result", result)
