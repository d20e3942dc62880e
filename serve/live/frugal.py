"""uvicorn's WebSocket server, as a replica with thousands of sockets needs it.

Ray Serve is told not to watch the socket: it would read ahead without bound, and keep two tasks and a queue a socket.
What only the handshake needed is let go after it. Together 12 KB a socket.
"""

from typing import Any

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_UNWATCHED = (b"x-request-disconnect-disabled", b"?1")


class FrugalSocket(WebSocketsSansIOProtocol):
    """A socket whose app reads every message itself, so that uvicorn's own pause of reading bounds what waits."""

    @override
    async def run_asgi(self) -> None:
        headers: list[Any] = self.scope["headers"]  # type: ignore[assignment]
        headers.append(_UNWATCHED)
        await super().run_asgi()

    @override
    def start_keepalive(self) -> None:
        super().start_keepalive()
        self.scope["headers"] = []
        del self.request, self.response
