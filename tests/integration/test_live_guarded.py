"""What a client that floods, dribbles or does not read can do to the server: a real uvicorn, raw bytes."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from serve.live.guarded import GuardedSocket
from serve.live.limits import Limits

LIMITS = Limits(
    frames_per_s=10.0, frames_burst=20, bytes_per_s=1_000.0, bytes_burst=200_000, fragments_max=8, close_s=0.2
)
FRAME_BYTES_MAX = 65_536
TEXT, BINARY, CONT, PING, FIN = 1, 2, 0, 9, 0x80


class Guarded(GuardedSocket):
    limits = LIMITS


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Return one client frame; the mask is zero, so the payload stays readable."""
    size = len(payload)
    head = bytes([opcode | (FIN if fin else 0)])
    if size < 126:
        return head + bytes([0x80 | size]) + bytes(4) + payload
    if size < 65_536:
        return head + bytes([0x80 | 126]) + struct.pack("!H", size) + bytes(4) + payload
    return head + bytes([0x80 | 127]) + struct.pack("!Q", size) + bytes(4) + payload


class Server:
    """An app that takes nothing until it is told to, as Serve's read-ahead would hide; and counts what waits for it."""

    def __init__(self, app: Any = None, ping_s: float = 20.0) -> None:
        self.taken: list[str | bytes] = []
        self.outcome: dict[str, Any] | None = None
        self.read = asyncio.Event()
        self.say: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            app or self,
            ws=Guarded,
            ws_ping_interval=ping_s,
            ws_ping_timeout=ping_s,
            lifespan="off",
            log_level="critical",
            ws_per_message_deflate=False,
            ws_max_size=FRAME_BYTES_MAX,
        )
        self.uvicorn = uvicorn.Server(config)
        self.task = asyncio.create_task(self.uvicorn.serve([self._listener]))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def sockets(self) -> list[GuardedSocket]:
        return [c for c in self.uvicorn.server_state.connections if isinstance(c, GuardedSocket)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with contextlib.suppress(OSError):
            for text in self.say:
                await send({"type": "websocket.send", "text": text})
        await self.read.wait()
        while (event := await receive())["type"] == "websocket.receive":
            self.taken.append(event.get("text") or event.get("bytes") or "")
        self.outcome = event


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.read.set()
    server.uvicorn.should_exit = True
    await server.task


class Raw:
    """A client that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until_close(self) -> bytes:
        """Read up to the code of the close frame; nothing else that these tests receive has its first byte, 0x88."""
        received = b""
        async with asyncio.timeout(10):
            while (at := received.find(b"\x88")) < 0 or len(received) < at + 4:
                piece = await self.reader.read(65_536)
                assert piece, f"the line ended without a close frame: {received[-40:]!r}"
                received += piece
        return received[: at + 4]

    async def close_code(self) -> int:
        return int(struct.unpack("!H", (await self.until_close())[-2:])[0])


@contextlib.asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(masked(TEXT, b"{}") * 5_000, id="small frames"),
        pytest.param(masked(TEXT, b"") * 20_000, id="the smallest frames"),
        pytest.param(masked(TEXT, b"x" * 60_000) * 40, id="large frames"),
        pytest.param(masked(PING, b"x" * 100) * 5_000, id="pings"),
        pytest.param(masked(TEXT, b"{", fin=False) + masked(CONT, b"", fin=False) * 20, id="endless pieces"),
    ],
)
async def test_a_flood_is_4008_and_never_waits_in_memory(server: Server, flood: bytes) -> None:
    server.read.set()  # the app reads ahead, as Serve's proxy does
    async with opened(server) as client:
        client.send(flood)
        assert await client.close_code() == 4008
        await until(lambda: server.outcome is not None)
        taken = len(server.taken)
        assert taken <= 2 * LIMITS.frames_burst + 2
        assert sum(map(len, server.taken)) <= 2 * LIMITS.bytes_burst
        client.send(flood)
        await until(lambda: not server.sockets)
        assert len(server.taken) == taken, "what comes after the close is thrown away"


async def test_a_flood_is_noticed_before_it_is_parsed(server: Server) -> None:
    async with opened(server) as client:
        client.send(masked(PING, b"") * 20_000)
        pongs = (await client.until_close()).count(b"\x8a\x00")
        assert 0 < pongs <= 2 * LIMITS.frames_burst + 4_096 // 6


async def test_an_app_that_does_not_read_is_not_read_for(server: Server) -> None:
    async with opened(server) as client:
        [taken_in] = server.sockets
        client.send(masked(TEXT, b"x" * 60_000) * 100)
        await until(lambda: taken_in.read_paused)
        assert taken_in.queue.qsize() * 60_000 <= 2 * LIMITS.bytes_burst
        assert client.writer.transport.get_write_buffer_size() > 0, "the rest waits at the sender"


async def test_a_client_within_its_rate_is_read_only_as_fast_as_the_app_takes(server: Server) -> None:
    async with opened(server) as client:
        for n in range(LIMITS.frames_burst):
            client.send(masked(TEXT, b"%d" % n))
        [taken_in] = server.sockets
        await until(lambda: taken_in.read_paused)
        server.read.set()
        await until(lambda: len(server.taken) == LIMITS.frames_burst)
        assert server.taken == [str(n) for n in range(LIMITS.frames_burst)]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(masked(TEXT, b"x" * (FRAME_BYTES_MAX + 1)), id="too large"),
        pytest.param(
            masked(TEXT, b"x" * 40_000, fin=False) + masked(CONT, b"x" * 40_000), id="too large in two pieces"
        ),
        pytest.param(masked(TEXT, b"\xff\xfe"), id="no UTF-8"),
        pytest.param(b"\x81\x02{}", id="not masked"),
        pytest.param(masked(3, b""), id="an opcode that does not exist"),
        pytest.param(masked(CONT, b"x"), id="a piece of nothing"),
    ],
)
async def test_what_is_no_frame_of_ours_is_4008(server: Server, wrong: bytes) -> None:
    server.read.set()
    async with opened(server) as client:
        client.send(wrong)
        assert await client.close_code() == 4008
        await until(lambda: server.outcome is not None)
        assert server.taken == []
        assert server.outcome == {"type": "websocket.disconnect", "code": 4008}


async def test_a_dribbled_frame_is_whole(server: Server) -> None:
    server.read.set()
    async with opened(server) as client:
        for byte in masked(TEXT, b'{"t":"ack"}'):
            client.send(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        await until(lambda: server.taken == ['{"t":"ack"}'])


async def test_a_peer_that_never_reads_gives_its_descriptor_back(server: Server) -> None:
    server.say = ["x" * 60_000] * 200
    async with opened(server) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        [taken_in] = server.sockets
        await until(lambda: not taken_in.writable.is_set())
        held = taken_in.transport.get_write_buffer_size()
        client.send(masked(PING, b"x" * 100) * 15 + masked(TEXT, b""))
        await until(lambda: taken_in.read_paused)
        assert taken_in.transport.get_write_buffer_size() == held, "pongs do not pile up"
        taken_in.transport.resume_reading()
        descriptors = len(os.listdir("/proc/self/fd"))
        client.send(masked(TEXT, b"") * 5_000)
        await until(lambda: not server.sockets)
        assert len(os.listdir("/proc/self/fd")) < descriptors


async def test_a_peer_that_never_reads_does_not_hold_up_the_end_of_the_server(server: Server) -> None:
    server.say = ["x" * 60_000] * 200
    async with opened(server) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        [taken_in] = server.sockets
        await until(lambda: not taken_in.writable.is_set())
        server.read.set()
        server.uvicorn.should_exit = True
        async with asyncio.timeout(10):
            await server.task


async def test_a_peer_that_answers_no_ping_is_gone_for_the_app_at_once() -> None:
    """Also while bytes still wait for it: neither does the app go on, nor is it told that it does something wrong."""
    ended: list[Exception] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        [here] = sockets()
        while not here.transport.get_write_buffer_size():
            await send({"type": "websocket.send", "text": "x" * 10_000})
        try:
            while True:
                await send({"type": "websocket.send", "text": "y"})
                await asyncio.sleep(0.01)
        except Exception as error:
            ended.append(error)
        ended_at_once.append((await receive())["type"])

    ended_at_once: list[str] = []
    server = Server(app, ping_s=0.1)

    def sockets() -> list[GuardedSocket]:
        return server.sockets

    async with opened(server) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: ended_at_once)
        assert [type(error).__name__ for error in ended] == ["ClientDisconnected"]
        assert ended_at_once == ["websocket.disconnect"]
    server.uvicorn.should_exit = True
    await server.task
