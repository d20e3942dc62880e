"""The live app over real sockets: uvicorn and a WebSocket client in one process."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from serve.live.app import build_app
from serve.live.frugal import FrugalSocket
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from serve.live.ports import SystemClock
from serve.live.routes import with_socket
from tests.support.live_socket import EPOCH, ports
from tests.support.manual_clock import ManualClock
from tests.support.memory_runtime import MemoryRuntime

ASHA = "main/asha"
LIMITS = Limits(auth_s=0.3, tick_s=0.05, frame_bytes_max=2_000, stall_s=1.0, queue_frames_max=50)


class Server:
    """A running app and the runtime behind it."""

    def __init__(self, app: Litestar, runtime: MemoryRuntime) -> None:
        self.runtime = runtime
        self.gateway: Gateway = app.state.gateway
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", ws=FrugalSocket, ws_per_message_deflate=False)
        )
        self._task = asyncio.create_task(self._uvicorn.serve([self._listener]))

    def connect(self, path: str = "/api/v1/live") -> connect:
        url = f"ws://127.0.0.1:{self.port}{path}"
        return connect(url, subprotocols=[Subprotocol("boond.v1")], compression=None)

    async def stop(self) -> None:
        self._uvicorn.should_exit = True
        await self._task


def start(paths_of_api: str | None = None) -> Server:
    runtime = MemoryRuntime(ManualClock())
    outside = ports(runtime, SystemClock())
    app = build_app(outside, LIMITS)
    if paths_of_api is not None:
        state = State({"gateway": Gateway(outside, LIMITS)})
        app = with_socket(Litestar([], state=state, openapi_config=None, logging_config=None), paths_of_api)
    return Server(app, runtime)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = start()
    yield server
    await server.gateway.close()
    await server.stop()


async def frame(ws: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        received: dict[str, Any] = json.loads(await ws.recv())
        return received


async def auth(ws: ClientConnection, seq: int | None = None) -> dict[str, Any]:
    assert (await frame(ws))["t"] == "hello"
    resume = {} if seq is None else {"resume": {"epoch": EPOCH, "seq": seq}}
    await ws.send(json.dumps({"t": "auth", "token": "asha@3600", **resume}))
    return await frame(ws)


async def close_code(ws: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        await ws.wait_closed()
    return ws.close_code


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["/", "/api/v1/live"])
async def test_snapshot_turn_expense_and_resume_over_the_wire(server: Server, path: str) -> None:
    async with server.connect(path) as ws:
        assert ws.subprotocol == "boond.v1"
        assert (await auth(ws))["resumed"] is False
        assert (await frame(ws))["t"] == "snapshot"
        await ws.send(json.dumps({"t": "expense", "id": "c1", "data": {"external_id": "T1"}}))
        answers = {f["t"]: f for f in (await frame(ws), await frame(ws))}
        assert answers["receipt"]["data"]["seq"] == answers["turn"]["seq"] == 2
        assert answers["turn"]["events"] == [{"type": "transaction_recorded", "data": {"n": 2}}]
    await until(lambda: server.gateway.sockets == 0)
    for _ in range(150):
        server.runtime.commit(ASHA)
    async with server.connect(path) as ws:
        assert await auth(ws, seq=2) == {"t": "ready", "epoch": EPOCH, "head": 152, "resumed": True}
        assert [(await frame(ws))["seq"] for _ in range(150)] == list(range(3, 153))


async def test_the_same_handler_lives_in_another_app() -> None:
    server = start("/api/v1/expenses/real-time")
    async with server.connect("/api/v1/expenses/real-time") as ws:
        assert (await auth(ws))["t"] == "ready"
        await server.gateway.close()
        assert await close_code(ws) == 4200
    await server.stop()


async def test_close_codes_arrive(server: Server) -> None:
    async with server.connect() as late:
        assert await close_code(late) == 4001
    for message, code in ((b"\x00", 4008), ("nonsense", 4008), ("x" * 3_000, 4008), ('{"t":"ack","seq":1}', 4001)):
        async with server.connect() as ws:
            await ws.send(message)
            assert await close_code(ws) == code
    async with server.connect() as ws:
        await auth(ws)
        await ws.send(json.dumps({"t": "auth", "token": "ravi@3600"}))
        assert await close_code(ws) == 4003


async def test_a_client_that_vanishes_leaves_nothing_behind(server: Server) -> None:
    async with server.connect() as ws:
        await auth(ws)
        ws.transport.abort()
        await until(lambda: server.gateway.sockets == 0 and server.runtime.subscribers(ASHA) == 0)
