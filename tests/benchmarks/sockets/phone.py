"""One socket of a phone that costs little: frames are read by hand, never decoded, and checked for order.

On a machine of two cores the clients share them with what they measure; `websockets` would take four times the CPU.
"""

import asyncio
import json
import time
from typing import cast

from typing_extensions import override

TEXT, CLOSE, PING = 0x1, 0x8, 0x9
STAMP = b'"external_id":"b-'
"""Begins an external id made of the `monotonic_ns` at which its event was due, and more after a dash."""

_TURN, _SNAPSHOT, _READY = b'{"t":"turn","seq":', b'{"t":"snapshot","seq":', b'{"t":"ready"'
_SOCKET_IO_EVENT, _SOCKET_IO_OPEN, _SOCKET_IO_JOINED = b'42["turn",{"seq":', b"0{", b"40{"
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a client's frame; its mask is zero, which RFC 6455 allows and costs nothing."""
    size = len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE, size >> 8, size & 255])
    return head + bytes(4) + payload


def upgrade(port: int, path: str) -> bytes:
    """Return the request that opens a socket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: boond.v1\r\nSec-WebSocket-Key: "
    ).encode() + b"%s\r\n\r\n" % _KEY


class Tally:
    """What a crowd of phones has seen so far."""

    def __init__(self) -> None:
        self.ready = self.pushes = self.repeats = self.gaps = self.closed = self.refused = 0
        self.epoch = ""
        self.codes: dict[int, int] = {}
        self.latencies_ns: list[int] = []
        self.last_ns = 0
        """When the last push came (monotonic)."""

    def saw_push(self, payload: bytes) -> None:
        """Count a push, and time it when it carries a stamp."""
        self.pushes += 1
        self.last_ns = time.monotonic_ns()
        at = payload.find(STAMP)
        if at >= 0:
            begin = at + len(STAMP)
            due = int(payload[begin : payload.index(b"-", begin)])
            self.latencies_ns.append(self.last_ns - due)


class Phone(asyncio.Protocol):
    """A socket from its upgrade to its end; `seq` is its place in the stream."""

    __slots__ = ("_buffer", "_ended", "_first", "_open", "_request", "_tally", "_transport", "is_ready", "seq")

    def __init__(self, request: bytes, first: bytes, tally: Tally, seq: int | None = None) -> None:
        self._request, self._first, self._tally, self.seq = request, first, tally, seq
        self._buffer = b""
        self._open = self._ended = self.is_ready = False
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    @property
    def is_done(self) -> bool:
        """Whether it is ready, or never will be."""
        return self.is_ready or self._ended

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._tally.closed += 1

    @override
    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        at = 0
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            if data[9:12] != b"101":
                self._tally.refused += 1
                self._transport.abort()
                return
            self._open, at = True, end + 4
            if self._first:
                self._transport.write(frame(self._first))
            else:
                self._became_ready()
        self._buffer = self._frames(data, at)

    def _frames(self, data: bytes, at: int) -> bytes:
        """Read whole frames; returns what is left of an unfinished one."""
        size = len(data)
        while size - at >= 2:
            length, begin = data[at + 1] & 0x7F, at + 2
            if length == 126:
                length, begin = int.from_bytes(data[begin : begin + 2]), begin + 2
            elif length == 127:
                length, begin = int.from_bytes(data[begin : begin + 8]), begin + 8
            if begin + length > size:
                break
            self._take(data[at] & 0x0F, data[begin : begin + length])
            at = begin + length
        return data[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._transport.write(frame(payload, 0xA))
        elif opcode == CLOSE:
            code = int.from_bytes(payload[:2])
            self._tally.codes[code] = self._tally.codes.get(code, 0) + 1
            self._transport.close()
        elif payload.startswith(_TURN):
            self._turn(payload, len(_TURN))
        elif payload.startswith(_SNAPSHOT):
            self._seen(int(payload[len(_SNAPSHOT) : payload.index(b",", len(_SNAPSHOT))]))
        elif payload.startswith(_READY):
            self._tally.epoch = json.loads(payload)["epoch"]
            if b'"resumed":true' in payload:
                self._became_ready()
        elif payload.startswith(_SOCKET_IO_EVENT):
            self._turn(payload, len(_SOCKET_IO_EVENT))
        elif payload == b"2":
            self._transport.write(frame(b"3"))
        elif payload.startswith(_SOCKET_IO_JOINED):
            self._became_ready()

    def _seen(self, seq: int) -> None:
        self.seq = seq
        self._became_ready()

    def _turn(self, payload: bytes, begin: int) -> None:
        seq = int(payload[begin : payload.index(b",", begin)])
        tally, last = self._tally, self.seq
        if last is not None and seq <= last:
            tally.repeats += 1
            return
        if last is not None and seq != last + 1:
            tally.gaps += 1
        self.seq = seq
        tally.saw_push(payload)

    def _became_ready(self) -> None:
        if not self.is_ready:
            self.is_ready = True
            self._tally.ready += 1

    def say(self, text: bytes) -> None:
        """Send a text."""
        self._transport.write(frame(text))

    def read(self, *, on: bool) -> None:
        """Stop reading: be a laggard; or go on."""
        if not self._transport.is_closing():
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    def leave(self) -> None:
        """Be gone without a word, as a phone in a tunnel."""
        self._transport.abort()
