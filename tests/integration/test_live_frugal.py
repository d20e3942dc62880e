"""The socket of a replica, on the real uvicorn: what it tells Serve, and what it lets go."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from websockets.asyncio.client import connect
from websockets.http11 import Request

from serve.live.frugal import FrugalSocket


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
async def serving(app: Any) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws=FrugalSocket, log_level="warning", lifespan="off", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def test_serve_is_told_not_to_read_ahead_and_the_handshake_is_let_go() -> None:
    app = Seen()
    async with serving(app) as url, connect(url, origin="https://a.example", compression=None) as ws:  # type: ignore[arg-type]
        assert await ws.recv() == "open"
        assert (b"x-request-disconnect-disabled", b"?1") in app.before
        assert (b"origin", b"https://a.example") in app.before
        assert app.after == []
        [server_side] = [thing for thing in gc.get_objects() if isinstance(thing, FrugalSocket)]
        assert not any(isinstance(kept, Request) for kept in vars(server_side).values())
