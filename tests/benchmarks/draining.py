"""Many sockets in a process of their own, which only count the turns they are pushed: `bench_observing` starts it.

    python -m tests.benchmarks.draining PORT USERS SOCKETS_A_USER TURNS

prints `open` when every socket is ready, `done` when each has had its turns. Bytes are searched, not parsed: a process
that reads must not be what is measured.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Callable
from typing import cast

import uvloop
from typing_extensions import override

AT_ONCE = 50
_HELLO, _READY, _TURN = b'"t":"hello"', b'"t":"ready"', b'"t":"turn"'


def _masked(text: str) -> bytes:
    """Return one text frame of a client (RFC 6455, 5.2), under the mask 0."""
    body = text.encode()
    length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + body


class Drain(asyncio.Protocol):
    """One socket: upgrades, authenticates as `user`, and counts."""

    def __init__(self, user: int, turns: int, ready: Callable[[], None], done: Callable[[], None]) -> None:
        resume = {"epoch": "bench", "seq": 1}
        self._auth = _masked(json.dumps({"t": "auth", "token": f"u{user}", "resume": resume}))
        self._left, self._ready, self._done = turns, ready, done
        self._rest = b""
        self._is_ready = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET / HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: boond.v1",
        )
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    @override
    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if self._auth and _HELLO in data:
            self._transport.write(self._auth)
            self._auth = b""
        if not self._is_ready and _READY in data:
            self._is_ready = True
            self._ready()
        turns = data.count(_TURN)
        # What may be the beginning of a mark, and no whole one.
        self._rest = data[-(len(_TURN) - 1) :]
        self._left -= turns
        if turns and self._left == 0:
            self._done()


class _Countdown:
    def __init__(self, count: int) -> None:
        self._left, self.over = count, asyncio.Event()

    def __call__(self) -> None:
        self._left -= 1
        if not self._left:
            self.over.set()


async def _main(port: int, users: int, sockets_a_user: int, turns: int) -> None:
    loop = asyncio.get_running_loop()
    done = _Countdown(users * sockets_a_user)
    waiting = [user for user in range(users) for _ in range(sockets_a_user)]
    while waiting:
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        ready = _Countdown(len(some))
        for user in some:
            await loop.create_connection(lambda u=user, r=ready: Drain(u, turns, r, done), "127.0.0.1", port)  # type: ignore[misc]
        await ready.over.wait()
    print("open", flush=True)
    await done.over.wait()
    print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(_main(*map(int, sys.argv[1:5])))
