"""uvicorn's HTTP server, for answers that have no end: the app may cut a connection whose peer does not read.

uvicorn closes such a connection only once all that is buffered was read, which may be never, and meanwhile it holds a
file descriptor that nobody counts. So does a connection whose answers are whole: it is cut off when its peer reads
nothing at all of what is left.
"""

import asyncio

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "boond.abort"
"""The extension's name in an ASGI scope: `abort()` drops the connection and what it has buffered."""
LINGER_S = 12.0
"""How long the peer of a connection that is being closed may take nothing of what is left for it; then it is cut."""


class SeverableHttp(HttpToolsProtocol):
    """HTTP whose apps are given a way to cut the connection."""

    _last_resort: asyncio.TimerHandle | None = None

    @override
    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]
        super().on_headers_complete()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_the_rest()

    @override
    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_the_rest()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._last_resort is not None:
            self._last_resort.cancel()
            self._last_resort = None

    def _watch_the_rest(self) -> None:
        if self.transport.is_closing() and self._last_resort is None:
            self._look_again_soon()

    def _look_again_soon(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left:
            self._last_resort = self.loop.call_later(LINGER_S, self._cut_if_unread, left)

    def _cut_if_unread(self, left: int) -> None:
        if self.transport.get_write_buffer_size() == left:
            self.transport.abort()
        else:
            self._look_again_soon()
