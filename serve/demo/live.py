"""One demo user on the live socket: authenticates, keeps the position, resumes when the line drops.

Protocol: subprotocol `boond.v1`, JSON text frames told apart by `t` (see the API's AsyncAPI document).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from serve.demo.errors import DemoError

_NEVER_RETRY = frozenset({4001, 4003, 4008})
_STEP_S = 15.0
_RECONNECT_S = 0.5


class LiveSocket:
    """Reads one user's turns, in `seq` order and each once, for as long as `run` is left running.

    `on_snapshot` gets the overview whenever history starts anew; `on_turn` the frame and the moment it arrived
    (`time.perf_counter`). `fresh_token` is asked before each connection and when the server says the token expires.
    """

    def __init__(
        self,
        url: str,
        fresh_token: Callable[[], Awaitable[str]],
        on_snapshot: Callable[[dict[str, Any]], None],
        on_turn: Callable[[dict[str, Any], float], None],
        *,
        use_proxy: bool = True,
    ) -> None:
        self.ready = asyncio.Event()
        self.reconnects = 0
        self._url = url
        self._fresh_token = fresh_token
        self._on_snapshot = on_snapshot
        self._on_turn = on_turn
        self._use_proxy = use_proxy
        self._epoch = ""
        self._seq = 0

    async def run(self) -> None:
        """Stay connected until cancelled. Raises `DemoError` on a close code that forbids another try."""
        while True:
            try:
                async with self._connected() as socket:
                    await self._authenticate(socket)
                    async for text in socket:
                        await self._take(socket, json.loads(text), time.perf_counter())
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in _NEVER_RETRY:
                    raise DemoError(f"the socket was closed: {closed.rcvd.code} {closed.rcvd.reason}") from closed
            except (OSError, TimeoutError):
                if not self.ready.is_set():
                    raise
            self.reconnects += 1
            await asyncio.sleep(_RECONNECT_S)

    def _connected(self) -> connect:
        return connect(
            self._url,
            subprotocols=[Subprotocol("boond.v1")],
            compression=None,
            max_size=None,
            proxy=True if self._use_proxy else None,
        )

    async def _authenticate(self, socket: ClientConnection) -> None:
        _expected(await _next(socket), "hello")
        auth: dict[str, Any] = {"t": "auth", "token": await self._fresh_token()}
        if self._epoch:
            auth["resume"] = {"epoch": self._epoch, "seq": self._seq}
        await socket.send(json.dumps(auth))
        ready = _expected(await _next(socket), "ready")
        self._epoch = ready["epoch"]
        if ready["resumed"]:
            self.ready.set()

    async def _take(self, socket: ClientConnection, frame: dict[str, Any], arrived: float) -> None:
        match frame["t"]:
            case "snapshot":
                self._seq = frame["seq"]
                self._on_snapshot(frame["data"])
                self.ready.set()
            case "turn" if frame["seq"] > self._seq:
                self._seq = frame["seq"]
                self._on_turn(frame, arrived)
            case "heartbeat" if frame["head"] > self._seq:
                await socket.send(json.dumps({"t": "resume", "seq": self._seq}))
            case "expiring":
                await socket.send(json.dumps({"t": "auth", "token": await self._fresh_token()}))
            case _:
                pass


async def _next(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(_STEP_S):
        frame: dict[str, Any] = json.loads(await socket.recv())
        return frame


def _expected(frame: dict[str, Any], kind: str) -> dict[str, Any]:
    if frame.get("t") != kind:
        raise DemoError(f"expected a frame {kind!r}, got {json.dumps(frame)[:200]}")
    return frame


@contextlib.asynccontextmanager
async def running(socket: LiveSocket) -> AsyncIterator[LiveSocket]:
    """Run a socket in the background while the block runs. What ends it early ends the block too, as a group."""
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(socket.run())
        try:
            async with asyncio.timeout(_STEP_S):
                await socket.ready.wait()
        except TimeoutError as late:
            raise DemoError(f"no snapshot within {_STEP_S:.0f} s of connecting") from late
        yield socket
        reading.cancel()
