"""uvicorn's HTTP server, for answers that have no end: the app may cut a connection whose peer does not read.

uvicorn closes such a connection only once all that is buffered was read, which may be never, and meanwhile it holds a
file descriptor that nobody counts. So does a connection whose answers are whole: it is cut off when its peer reads
nothing at all of what is left. For the same reason the head of a request has a time and a size: a replica may have no
front door that sees to it, and uvicorn waits for a head for ever.
"""

import asyncio
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "boond.abort"
"""The extension's name in an ASGI scope: `abort()` drops the connection and what it has buffered."""
LINGER_S = 12.0
"""How long the peer of a connection that is being closed may take nothing of what is left for it; then it is cut."""


class SeverableHttp(HttpToolsProtocol):
    """HTTP whose apps are given a way to cut the connection, and which cuts what sends no request."""

    head_s = 10.0
    """How long a connection may be silent before its first request, and how long the head of a request may take."""
    head_bytes_max = 65_536
    """What may have come of a head that is not whole; by then it is four times what the front door takes."""
    _head_due: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _last_resort: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget_head()
        if self._last_resort is not None:
            self._last_resort.cancel()
            self._last_resort = None

    @override
    def data_received(self, data: bytes) -> None:
        awaited = self._head_due
        super().data_received(data)
        if awaited is not None and self._head_due is awaited:
            self._head_bytes += len(data)
            if self._head_bytes > self.head_bytes_max:
                self.transport.abort()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    @override
    def on_headers_complete(self) -> None:
        self._forget_head()
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

    def _await_head(self) -> None:
        if self._head_due is None:
            self._head_bytes = 0
            self._head_due = self.loop.call_later(self.head_s, self.transport.abort)

    def _forget_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
