"""A stream whose reader stands still, on the real uvicorn: it is ended, and its connection does not stay behind."""

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
