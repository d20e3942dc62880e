"""uvicorn's WebSocket server, as a replica with thousands of sockets needs it.

Three things are changed, and nothing of RFC 6455: the handshake, inbound frames, pings and the closing stay uvicorn's
and websockets'. A text goes to the transport at once, without a task or a second parser between (`write`, offered to
the app as an ASGI extension). Ray Serve is told not to watch the socket: it would read ahead without bound, and keep
two tasks and a queue a socket. What only the handshake needed is let go after it. Its limits are those of
`serve/live/guarded.py`.
"""

from typing import Any

from typing_extensions import override

from serve.live.guarded import GuardedSocket

WRITE = "boond.write"
"""The extension's name in an ASGI scope: `write(text) -> bool`."""

_UNWATCHED = (b"x-request-disconnect-disabled", b"?1")
_TIMEOUT = b"x-request-timeout-seconds"
"""By this Serve would let a client have its socket's handler cancelled, with a traceback in our log and no close."""
_TEXT = b"\x81"
"""First byte of an unfragmented text frame; RFC 6455, 5.2."""


def text_frame(payload: bytes) -> bytes:
    """Return a server's frame of one text."""
    size = len(payload)
    if size < 126:
        return _TEXT + size.to_bytes() + payload
    if size < 65_536:
        return _TEXT + b"\x7e" + size.to_bytes(2) + payload
    return _TEXT + b"\x7f" + size.to_bytes(8) + payload


class FrugalSocket(GuardedSocket):
    """A socket whose app reads every message itself, so that uvicorn's own pause of reading bounds what waits."""

    def write(self, text: str) -> bool:
        """Write one text now. False, and nothing written, when it would have to wait or the socket is ending."""
        if self.close_sent or self.disconnected or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(text_frame(text.encode()))
        return True

    @override
    async def run_asgi(self) -> None:
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["headers"] = [each for each in scope["headers"] if each[0].lower() != _TIMEOUT] + [_UNWATCHED]
        # An extension like deflate would have to see every frame.
        if not self.conn.extensions:
            scope["extensions"][WRITE] = self.write
        await super().run_asgi()

    @override
    def start_keepalive(self) -> None:
        super().start_keepalive()
        self.scope["headers"] = []
        del self.request, self.response
