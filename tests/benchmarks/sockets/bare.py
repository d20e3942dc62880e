"""The ceiling: a bare uvicorn socket loop. It holds sockets, and sends every one a text when a client says so."""

import asyncio
from typing import Any

from actors.collector import calm
from tests.benchmarks.sockets.flood import turn


class BareLoop:
    """An ASGI application of nothing but sockets; the text `n` floods each of them with n turns."""

    def __init__(self) -> None:
        self._sends: dict[Any, None] = {}
        self._head = 0
        self._flood: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "boond.v1"})
        self._sends[send] = None
        while (message := await receive())["type"] == "websocket.receive":
            self._flood = asyncio.create_task(self._send_all(int(message["text"])))
        self._sends.pop(send)

    async def _send_all(self, rounds: int) -> None:
        for _ in range(rounds):
            self._head += 1
            text = turn(self._head)
            for send in tuple(self._sends):
                await send({"type": "websocket.send", "text": text})
            # As the feed of a gateway does: readers and pings get their turn.
            await asyncio.sleep(0)


def build() -> BareLoop:
    """Return the app."""
    calm()
    return BareLoop()
