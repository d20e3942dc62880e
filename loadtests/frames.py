"""The client's half of a WebSocket (RFC 6455), no more than a holder of thousands needs: bytes in, messages out.

No extension is offered, so frames are plain. Messages of a server that fragments are refused: Boond's does not. The
masking key is zero, which the RFC allows on the wire though not to a browser: the payload then needs no work.
"""

import base64
import hashlib
import secrets
import struct
from collections.abc import Iterator
from enum import IntEnum

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD_BYTES_MAX = 16_384
_FRAME_BYTES_MAX = 4 * 1_048_576
_FIN, _MASK, _LENGTH_2, _LENGTH_8 = 0x80, 0x80, 126, 127


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class ProtocolError(ValueError):
    """The server sent what is no answer to an upgrade, or no frame; the message says what came."""


class UpgradeRefused(ProtocolError):
    """The server answered the upgrade with another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the upgrade was answered with {status}, expected 101")
        self.status = status


def upgrade(host: str, path: str, subprotocol: str) -> tuple[bytes, bytes]:
    """Return the request that opens a socket, and the `Sec-WebSocket-Accept` its answer must carry."""
    key = base64.b64encode(secrets.token_bytes(16))
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {subprotocol}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n", accept


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """Return one frame as a client sends it."""
    length = len(payload)
    if length < _LENGTH_2:
        head = struct.pack("!BB", _FIN | opcode, _MASK | length)
    elif length <= 0xFFFF:
        head = struct.pack("!BBH", _FIN | opcode, _MASK | _LENGTH_2, length)
    else:
        head = struct.pack("!BBQ", _FIN | opcode, _MASK | _LENGTH_8, length)
    return head + b"\0\0\0\0" + payload


def close_code(payload: bytes) -> int:
    """Return the code of a close frame; 1005 (none) of an empty one."""
    return struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005


class Reader:
    """What has arrived and is not yet a whole frame. Holds at most one frame and what one read brought."""

    def __init__(self, accept: bytes) -> None:
        self.is_upgraded = False
        self._accept = accept
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[tuple[Opcode, bytes]]:
        """Take bytes, yield whole frames. Raises `ProtocolError`."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self.is_upgraded and not self._take_head():
            return
        at = 0
        while (found := self._frame_at(at)) is not None:
            opcode, start, at = found
            yield opcode, self._buffer[start:at]
        self._buffer = self._buffer[at:]

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD_BYTES_MAX:
                raise ProtocolError(f"no end of the upgrade's answer within {_HEAD_BYTES_MAX} bytes")
            return False
        head = self._buffer[:end]
        status = head[9:12]
        if status != b"101":
            raise UpgradeRefused(int(status) if status.isdigit() else 0)
        if self._accept not in head:
            raise ProtocolError("the upgrade's answer carries another Sec-WebSocket-Accept than that of our key")
        self._buffer = self._buffer[end + 4 :]
        self.is_upgraded = True
        return True

    def _frame_at(self, at: int) -> tuple[Opcode, int, int] | None:
        """Return opcode, start and end of the payload of the frame at `at`; None while it is not all here."""
        have = len(self._buffer) - at
        if have < 2:
            return None
        first, length = self._buffer[at], self._buffer[at + 1]
        start = at + 2
        if length == _LENGTH_2:
            if have < 4:
                return None
            (length,) = struct.unpack_from("!H", self._buffer, start)
            start += 2
        elif length == _LENGTH_8:
            if have < 10:
                return None
            (length,) = struct.unpack_from("!Q", self._buffer, start)
            start += 8
        if length > _FRAME_BYTES_MAX or not first & _FIN or first & 0x70:
            raise ProtocolError(f"a frame beginning {first:#x} of {length} bytes: expected a whole, plain one")
        if len(self._buffer) < start + length:
            return None
        try:
            return Opcode(first & 0x0F), start, start + length
        except ValueError:
            raise ProtocolError(f"a frame of unknown opcode {first & 0x0F}") from None
