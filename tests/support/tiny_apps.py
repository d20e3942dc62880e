"""Two tiny Litestar apps that answer what `boond up` needs, and echo what a replica sees, for tests of the start."""

import os
from typing import Any

import uvicorn
from litestar import Litestar, Request, WebSocket, get, post, websocket

from serve.settings import RuntimeConfig


def _seen(scope: Any) -> dict[str, Any]:
    return {"path": scope["path"], "root_path": scope.get("root_path"), "raw": scope.get("raw_path", b"").decode()}


@get(["/", "/{rest:path}"])
async def _http(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {**_seen(request.scope), "pid": os.getpid()}


@websocket(["/", "/{rest:path}"])
async def _socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_json(_seen(socket.scope))
    while True:
        await socket.send_text(await socket.receive_text())


@get("/api/v1/health/ready")
async def _ready() -> dict[str, str]:
    return {"status": "ready"}


@post("/api/v1/die")
async def _die() -> None:
    os._exit(1)


def build_live(config: RuntimeConfig) -> Litestar:
    """Build what `serve.live.app:build` stands for."""
    return Litestar([_http, _socket], openapi_config=None, logging_config=None)


def build_api(config: RuntimeConfig) -> Litestar:
    """Build what `serve.api.app:build` stands for."""

    @get("/api/v1/config")
    async def configuration() -> dict[str, Any]:
        frugal = uvicorn.Config("x:y")
        sockets = {"deflate": frugal.ws_per_message_deflate, "frame_bytes_max": frugal.ws_max_size}
        return {"instance": config.instance_id, "cwd": os.getcwd(), "pid": os.getpid(), "sockets": sockets}

    real_time = websocket("/api/v1/expenses/real-time")(_socket.fn)
    return Litestar([_ready, _die, configuration, real_time], openapi_config=None, logging_config=None)
