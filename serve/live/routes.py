"""The WebSocket route: an ASGI socket as a `Wire`, handed to the gateway in `app.state.gateway`.

It stands in front of Litestar's own routing: a Litestar `WebSocket` and what carries it there cost 8 KB a socket.
"""

from collections.abc import Callable, Sequence
from typing import Any

from litestar import Litestar

from serve.live.frugal import WRITE
from serve.live.gateway import Gateway
from serve.live.origins import admits
from serve.live.outbound import Disconnected
from serve.live.protocol import SUBPROTOCOL, CloseCode

_REASON_BYTES_MAX = 123
"""RFC 6455, 5.5: a control frame holds 125 bytes, two of which are the code."""


def _must_wait(_text: str) -> bool:
    return False


class AsgiWire:
    """An accepted socket of an ASGI server."""

    __slots__ = ("_receive", "_send", "put")

    def __init__(self, receive: Any, send: Any, put: Callable[[str], bool] | None = None) -> None:
        self._receive, self._send = receive, send
        self.put = put or _must_wait
        """Send one text frame at once, where the server can tell whether the peer keeps up."""

    async def receive(self) -> str | bytes:
        """Return the next message as it came, text or binary."""
        event = await self._receive()
        if event["type"] != "websocket.receive":
            raise Disconnected(event.get("code"))
        text: str | None = event.get("text")
        return text if text is not None else event.get("bytes") or b""

    async def send(self, text: str) -> None:
        """Send one text frame."""
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError as gone:
            raise Disconnected from gone

    async def close(self, code: int, reason: str) -> None:
        """Send the close frame, its reason cut to what fits."""
        fitting = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
        try:
            await self._send({"type": "websocket.close", "code": int(code), "reason": fitting})
        except OSError as gone:
            raise Disconnected from gone


class _SocketRoute:
    """Takes the sockets of some paths, and leaves everything else to the app's own handler."""

    def __init__(self, app: Litestar, paths: Sequence[str]) -> None:
        self._app, self._next = app, app.asgi_handler
        self._paths = frozenset(paths)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        path = scope["path"].rstrip("/") or "/"
        if scope["type"] == "websocket" and path in self._paths:
            return self._serve(scope, receive, send)
        return self._next(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        gateway: Gateway = self._app.state.gateway
        offered = scope["subprotocols"]
        chosen = SUBPROTOCOL if SUBPROTOCOL in offered else None
        origin, host = _header(scope, b"origin"), _header(scope, b"host")
        welcome = admits(origin, host, self._app.state.get("origins", ()))
        # Refused only after the upgrade: of a refused upgrade a browser tells its page nothing, which then tries again.
        await send({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        wire = AsgiWire(receive, send, scope.get("extensions", {}).get(WRITE))
        if not welcome:
            await gateway.turn_away(wire, "origin", CloseCode.FORBIDDEN, "this origin may not open sockets here")
        elif offered and chosen is None:
            reason = f"this server speaks {SUBPROTOCOL}; offer that, or no subprotocol"
            await gateway.turn_away(wire, "subprotocol", CloseCode.BAD_FRAME, reason)
        else:
            await gateway.serve(wire, (scope.get("client") or ("",))[0])


def _header(scope: Any, name: bytes) -> str | None:
    """Return a header's values, joined where it is there more than once."""
    values = [str(value, "latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values) if values else None


def with_socket(app: Litestar, *paths: str) -> Litestar:
    """Return the app, which answers the live socket at `paths` too; its `state.gateway` is a `Gateway` by then."""
    app.asgi_handler = _SocketRoute(app, paths)
    return app
