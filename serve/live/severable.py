"""uvicorn's HTTP server, for answers that have no end: the app may cut a connection whose peer does not read.

uvicorn closes such a connection only once all that is buffered was read, which may be never, and meanwhile it holds a
file descriptor that nobody counts.
"""

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "boond.abort"
"""The extension's name in an ASGI scope: `abort()` drops the connection and what it has buffered."""


class SeverableHttp(HttpToolsProtocol):
    """HTTP whose apps are given a way to cut the connection."""

    @override
    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]
        super().on_headers_complete()
