"""Connections that nobody reads, or that ask nothing, on the real uvicorn: they are ended and do not stay behind."""

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any, cast

import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from websockets.asyncio.client import connect

from serve.live import severable
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from serve.live.ports import SystemClock
from serve.live.severable import SeverableHttp
from serve.live.sse_route import with_stream
from tests.support.live_socket import ports
from tests.support.memory_runtime import MemoryRuntime

REQUEST = b"GET /sse HTTP/1.1\r\nhost: a\r\nauthorization: Bearer asha@600\r\n\r\n"


async def test_a_reader_that_stands_still_is_cut_off_and_leaves_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = SystemClock()
    runtime = MemoryRuntime(cast("Any", clock))
    gateway = Gateway(ports(runtime, clock), Limits(close_s=0.05))
    app = Litestar(state=State({"gateway": gateway, "origins": ()}), openapi_config=None, logging_config=None)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(with_stream(app, "/sse"), http=SeverableHttp, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    loop = asyncio.get_running_loop()
    reader = socket.create_connection(listener.getsockname())
    reader.setblocking(False)
    try:
        with caplog.at_level(logging.ERROR):
            await loop.sock_sendall(reader, REQUEST)
            assert (await loop.sock_recv(reader, 12)) == b"HTTP/1.1 200"
            deadline = time.monotonic() + 30
            while gateway.sockets:
                assert time.monotonic() < deadline
                runtime.commit("main/asha", event="x" * 50_000)
                await asyncio.sleep(0.001)
            while server.server_state.connections:
                assert time.monotonic() < deadline, "the connection stayed behind"
                await asyncio.sleep(0.01)
        with contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(reader, 1 << 20):
                pass
        assert [record.message for record in caplog.records] == []
    finally:
        reader.close()
        await gateway.close()
        server.should_exit = True
        await serving


@pytest.mark.parametrize("kept", ["keep-alive", "close"])
async def test_an_answer_that_is_whole_and_that_nobody_reads_is_cut_off_too(
    monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    """A stream that ended while less than a buffer was unread: uvicorn closes it when the peer has read, or never."""
    monkeypatch.setattr(severable, "LINGER_S", 0.1)
    clock = SystemClock()
    runtime = MemoryRuntime(cast("Any", clock))
    gateway = Gateway(ports(runtime, clock), Limits())
    app = Litestar(state=State({"gateway": gateway, "origins": ()}), openapi_config=None, logging_config=None)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    config = uvicorn.Config(
        with_stream(app, "/sse"), http=SeverableHttp, lifespan="off", log_config=None, timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    loop = asyncio.get_running_loop()
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(listener.getsockname())
    reader.setblocking(False)
    try:
        await loop.sock_sendall(reader, REQUEST.replace(b"host: a", b"host: a\r\nconnection: " + kept.encode()))
        assert (await loop.sock_recv(reader, 12)) == b"HTTP/1.1 200"
        [connection] = cast("set[SeverableHttp]", server.server_state.connections)
        deadline = time.monotonic() + 30
        while connection.transport.get_write_buffer_size() < 20_000:
            assert time.monotonic() < deadline
            runtime.commit("main/asha", event="x" * 1_000)
            await asyncio.sleep(0.001)
        await gateway.close()
        assert gateway.sockets == 0
        assert connection.cycle.response_complete
        while server.server_state.connections:
            assert time.monotonic() < deadline, "the connection stayed behind"
            await asyncio.sleep(0.01)
    finally:
        reader.close()
        await gateway.close()
        server.should_exit = True
        await serving


class _Impatient(SeverableHttp):
    head_s = 0.2
    head_bytes_max = 10_000


async def _answer(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"", b"GET / HTTP/1.1\r\nhost: a\r\n", id="half a head"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", b"GET / HT", id="a request, then a piece of one"),
        pytest.param(b"", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 40_000, id="a head without an end"),
    ],
)
async def test_a_connection_that_sends_no_request_is_cut(first: bytes, then: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(_answer, http=_Impatient, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        if first:
            writer.write(first)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(then)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        async with asyncio.timeout(10):
            while server.server_state.connections:
                await asyncio.sleep(0.01)
    finally:
        writer.close()
        server.should_exit = True
        await serving


async def test_a_socket_and_a_slow_answer_outlive_the_time_for_a_head() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(3 * _Impatient.head_s)
            await _answer(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(3 * _Impatient.head_s)
        await send({"type": "websocket.send", "text": "still here"})

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(slow, http=_Impatient, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve([listener]))
    host, port = listener.getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        async with connect(f"ws://{host}:{port}") as ws:
            assert await ws.recv() == "still here"
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()
        server.should_exit = True
        await serving
