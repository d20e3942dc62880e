"""The WebSocket route: a Litestar socket as a `Wire`, handed to the gateway in `app.state.gateway`."""

from collections.abc import Sequence
from typing import Any

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler

from serve.live.gateway import Gateway
from serve.live.outbound import Disconnected
from serve.live.protocol import SUBPROTOCOL

FORBIDDEN = 4003
_REASON_BYTES_MAX = 123
"""RFC 6455, 5.5: a control frame holds 125 bytes, two of which are the code."""


class LitestarWire:
    """An accepted Litestar socket."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        """Return the next message as it came, text or binary."""
        try:
            event = await self._socket.receive()
        except (WebSocketDisconnect, OSError) as gone:
            raise Disconnected from gone
        if event["type"] != "websocket.receive":
            raise Disconnected
        text = event.get("text")
        return text if text is not None else event.get("bytes") or b""

    async def send(self, text: str) -> None:
        """Send one text frame."""
        try:
            await self._socket.send_data(text)
        except (WebSocketDisconnect, OSError) as gone:
            raise Disconnected from gone

    async def close(self, code: int, reason: str) -> None:
        """Send the close frame, its reason cut to what fits."""
        fitting = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
        try:
            await self._socket.close(code, fitting)
        except (WebSocketDisconnect, OSError) as gone:
            raise Disconnected from gone


def admits(origin: str | None, host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a page of this origin may open a socket: exact matches, or the same host; no browser sends none."""
    if origin is None or origin in allowed:
        return True
    return not allowed and host is not None and origin.partition("://")[2] == host


def live_handler(path: str | Sequence[str]) -> WebsocketRouteHandler:
    """Return a handler of the live socket at `path` (or several), for any app whose `state.gateway` is a `Gateway`."""

    @websocket(path if isinstance(path, str) else list(path), opt={"exclude_from_auth": True})
    async def live(socket: WebSocket[Any, Any, Any]) -> None:
        gateway: Gateway = socket.app.state.gateway
        if not admits(socket.headers.get("origin"), socket.headers.get("host"), socket.app.state.get("origins", ())):
            gateway.measures.turned_away.inc("origin")
            await socket.close(FORBIDDEN, "this origin may not open sockets here")
            return
        offered = socket.scope["subprotocols"]
        await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        await gateway.serve(LitestarWire(socket))

    return live
