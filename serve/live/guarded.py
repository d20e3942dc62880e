"""uvicorn's WebSocket server with our limits where the bytes arrive, before anything is queued for the application.

What an application never takes must not be kept for it: Ray Serve's proxy and replica read ahead without bound. So
frames and bytes a second are counted here, before a frame is even parsed whole; past the limit nothing more is taken in
and the socket is closed with 4008. What the parser refuses (too large, no WebSocket, no UTF-8) is 4008 too.

A refused peer still sends: with unread bytes in the kernel a close would be a reset, which may destroy the close frame
on its way. So the rest is read and thrown away for a moment. And what a peer does not read is not waited for: uvicorn's
own close would keep the descriptor until it is read, which may be never.
"""

import logging
from asyncio import TimerHandle
from collections.abc import Iterator
from typing import Any

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode as Rfc
from websockets.frames import Frame
from websockets.server import ServerProtocol

from serve.live.allowance import Allowance
from serve.live.limits import Limits
from serve.live.protocol import CloseCode

_log = logging.getLogger("uvicorn.error")
_SLICE_BYTES = 4_096
"""Parsed at once: a flood of the smallest frames is noticed before it has cost a few milliseconds."""
_BAD_FRAME = int(CloseCode.BAD_FRAME)
_REFUSALS = (Rfc.PROTOCOL_ERROR, Rfc.INVALID_DATA, Rfc.MESSAGE_TOO_BIG)


class _Parser(ServerProtocol):
    """The websockets library's, with the close code of our contract for what the client did wrong."""

    @override
    def fail(self, code: int, reason: str = "") -> None:
        super().fail(_BAD_FRAME if code in _REFUSALS else code, reason)

    @override
    def send_close(self, code: int | None = None, reason: str = "") -> None:
        super().send_close(_BAD_FRAME if code in _REFUSALS else code, reason)


class GuardedSocket(WebSocketsSansIOProtocol):
    """One socket of uvicorn, within `limits`."""

    limits = Limits()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Parser(extensions=self.conn.available_extensions, max_size=self.config.ws_max_size, logger=_log)
        limits, at = self.limits, self.loop.time()
        self._frames = Allowance(limits.frames_per_s, limits.frames_burst, at)
        self._bytes = Allowance(limits.bytes_per_s, limits.bytes_burst, at)
        self._refused = False
        self._last_resort: TimerHandle | None = None

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._bytes.take(self.loop.time(), len(data))
        if self._bytes.flooded:
            self._refuse(f"more than {self.limits.bytes_per_s:g} bytes a second")
        else:
            all(self._take(part) for part in _slices(data))

    @override
    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= self.limits.fragments_max:
            self._refuse(f"a message has at most {self.limits.fragments_max} fragments")
        else:
            super().handle_cont(event)

    @override
    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            # A peer that pings and does not read gets no pongs to pile up.
            self.conn.data_to_send()

    @override
    def handle_parser_exception(self) -> None:
        # uvicorn comes here by itself for text that is no UTF-8.
        self._leave()

    @override
    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # What it has not read may keep the connection a while yet; the application need not wait for that.
        self.disconnected = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(Rfc.ABNORMAL_CLOSURE)})
        self._give_up_soon(self.limits.close_s)

    @override
    def shutdown(self) -> None:
        super().shutdown()
        self._give_up_soon(self.limits.close_s)

    @override
    async def send(self, message: Any) -> None:
        if message["type"] != "websocket.close" or self.writable.is_set() or not self.handshake_complete:
            await super().send(message)
            return
        # A peer that reads slowly learns the code at the end of what it still reads; to wait for room is to lose it.
        self.writable.set()
        try:
            await super().send(message)
        finally:
            self.writable.clear()

    @override
    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self._give_up_soon(self.limits.linger_s)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._last_resort is not None:
            self._last_resort.cancel()
            self._last_resort = None

    def _take(self, data: bytes) -> bool:
        """Parse a part; False when nothing more is to be taken in."""
        self.conn.receive_data(data)
        if self.conn.parser_exc is not None:
            self._leave()
            return False
        self._frames.take(self.loop.time(), len(self.conn.events))
        if self._frames.flooded:
            self._refuse(f"more than {self.limits.frames_per_s:g} frames a second")
        else:
            self.handle_events()
        return not self._refused

    def _refuse(self, reason: str) -> None:
        try:
            self.conn.send_close(_BAD_FRAME, reason)
        except InvalidState:
            # Still in the handshake, or closing already: nothing can be said.
            self.transport.abort()
            self._refused = True
            return
        self._leave()

    def _leave(self) -> None:
        """Let the close frame go out, take nothing more in, and do not wait for the peer."""
        self._refused = self.close_sent = self.disconnected = True
        self.stop_keepalive()
        self.frames = []
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _BAD_FRAME})
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is not None:
            self.close_timer.cancel()
        # Also what keeps uvicorn from closing as soon as the application returns.
        self.close_timer = self.loop.call_later(self.limits.close_s, self.transport.abort)

    def _give_up_soon(self, seconds: float) -> None:
        if self._last_resort is None:
            self._last_resort = self.loop.call_later(seconds, self.transport.abort)


def _slices(data: bytes) -> Iterator[bytes]:
    if len(data) <= _SLICE_BYTES:
        yield data
        return
    view = memoryview(data)
    for start in range(0, len(data), _SLICE_BYTES):
        yield bytes(view[start : start + _SLICE_BYTES])
