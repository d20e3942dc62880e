"""The socket of a replica, on the real uvicorn: what it tells Serve, and what it lets go."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import CLIENT
from websockets.protocol import Protocol as Peer

from serve.live.frugal import WRITE, FrugalSocket, text_frame
from serve.live.limits import Limits


class Seen:
    """An app that notes the headers of its scope before and after it accepts."""

    def __init__(self) -> None:
        self.before: list[tuple[bytes, bytes]] = []
        self.after: list[tuple[bytes, bytes]] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.before = list(scope["headers"])
        await receive()
        await send({"type": "websocket.accept"})
        self.after = scope["headers"]
        await send({"type": "websocket.send", "text": "open"})
        await receive()


@contextlib.asynccontextmanager
async def serving(app: Any, *, deflate: bool = False) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws=FrugalSocket, log_level="warning", lifespan="off", ws_per_message_deflate=deflate)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}", server
    finally:
        server.should_exit = True
        await task


async def test_serve_is_told_not_to_read_ahead_and_the_handshake_is_let_go() -> None:
    app = Seen()
    origin: Any = "https://a.example"
    async with serving(app) as (url, server), connect(url, origin=origin, compression=None) as ws:
        assert await ws.recv() == "open"
        assert (b"x-request-disconnect-disabled", b"?1") in app.before
        assert (b"origin", b"https://a.example") in app.before
        assert app.after == []
        [server_side] = server.server_state.connections
        assert isinstance(server_side, FrugalSocket)
        assert not any(isinstance(kept, Request) for kept in vars(server_side).values())


async def test_a_client_cannot_have_serve_cancel_its_socket() -> None:
    app = Seen()
    headers = {"X-Request-Timeout-Seconds": "0.1"}
    async with serving(app) as (url, _), connect(url, additional_headers=headers, compression=None) as ws:
        assert await ws.recv() == "open"
    assert app.before
    assert b"x-request-timeout-seconds" not in {name.lower() for name, _ in app.before}


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_text_frame_is_one_that_websockets_reads(size: int) -> None:
    peer = Peer(CLIENT)
    peer.receive_data(text_frame(("ü" + "x" * size)[:size].encode()))
    [frame] = peer.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, frame.fin, len(frame.data)) == (0x1, True, len(("ü" + "x" * size)[:size].encode()))


class Pouring:
    """An app that writes until it would have to wait, then ends."""

    def __init__(self) -> None:
        self.written = 0
        self.waited = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while scope["extensions"][WRITE]("x" * 60_000):
            self.written += 1
            await asyncio.sleep(0)
        self.waited.set()


async def test_a_peer_that_does_not_read_is_not_written_to_and_cannot_keep_a_socket_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FrugalSocket, "limits", Limits(linger_s=0.1))
    app = Pouring()
    async with serving(app) as (url, server), connect(url, compression=None) as ws:
        ws.transport.pause_reading()
        await asyncio.wait_for(app.waited.wait(), 10)
        assert app.written > 0
        async with asyncio.timeout(10):
            while server.server_state.connections:
                await asyncio.sleep(0.01)
        ws.transport.resume_reading()


async def test_with_deflate_agreed_a_frame_is_never_written_past_it() -> None:
    offered: list[object] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        offered.append(scope["extensions"].get(WRITE))
        await receive()
        await send({"type": "websocket.accept"})

    async with serving(app, deflate=True) as (url, _), connect(url):
        pass
    assert offered == [None]


class Lagging:
    """An app that writes until it would have to wait, and then closes for that."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while scope["extensions"][WRITE]("x" * 60_000):
            await asyncio.sleep(0)
        await asyncio.wait_for(send({"type": "websocket.close", "code": 4108, "reason": "too slow"}), 1)
        self.closed.set()


async def test_a_peer_that_reads_late_still_learns_why_its_socket_was_closed() -> None:
    app = Lagging()
    async with serving(app) as (url, _), connect(url, compression=None, max_queue=None) as ws:
        ws.transport.pause_reading()
        await asyncio.wait_for(app.closed.wait(), 10)
        ws.transport.resume_reading()
        await asyncio.wait_for(ws.wait_closed(), 10)
        assert ws.close_code == 4108
