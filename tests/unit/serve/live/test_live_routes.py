"""Under Serve the app sees a path that is whole, stripped, or carries a root path: the socket answers to all."""

import asyncio
from typing import Any

import pytest

from serve.live.app import build_app
from tests.support.live_socket import ports
from tests.support.manual_clock import ManualClock
from tests.support.memory_runtime import MemoryRuntime

Headers = list[tuple[bytes, bytes]]


def scope(path: str, root_path: str, offered: list[str], headers: Headers) -> dict[str, Any]:
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": root_path,
        "query_string": b"",
        "headers": headers,
        "subprotocols": offered,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
        "extensions": {},
    }


async def converse(
    path: str, root_path: str, offered: list[str], headers: Headers | None = None
) -> list[dict[str, Any]]:
    """Connect, say nothing sensible, and return what the app sent."""
    clock = ManualClock()
    app: Any = build_app(ports(MemoryRuntime(clock), clock))
    inbound: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    inbound.put_nowait({"type": "websocket.connect"})
    inbound.put_nowait({"type": "websocket.receive", "text": "{}"})
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope(path, root_path, offered, headers or []), inbound.get, send)
    await app.state.gateway.close()
    return sent


@pytest.mark.parametrize("root_path", ["", "/api/v1/live"])
@pytest.mark.parametrize("path", ["/api/v1/live", "/api/v1/live/", "/", ""])
async def test_the_socket_answers_wherever_serve_mounts_it(path: str, root_path: str) -> None:
    accept, hello, close = await converse(path, root_path, ["chat", "boond.v1"])
    assert (accept["type"], accept["subprotocol"]) == ("websocket.accept", "boond.v1")
    assert hello["text"] == '{"t":"hello","heartbeat_s":25}'
    assert close["code"] == 4008


async def test_a_client_that_offers_no_subprotocol_gets_none() -> None:
    accept, *_ = await converse("/", "", [])
    assert accept["subprotocol"] is None


async def test_a_reason_is_cut_to_what_a_close_frame_holds() -> None:
    *_, close = await converse("/", "", [])
    assert 0 < len(close["reason"].encode()) <= 123


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([(b"host", b"boond.example"), (b"origin", b"https://evil.example")], 4003),
        ([(b"host", b"boond.example"), (b"origin", b"null")], 4003),
        ([(b"host", b"boond.example")] + 2 * [(b"origin", b"https://boond.example")], 4003),
        ([(b"host", b"boond.example"), (b"origin", b"https://boond.example")], 4008),
    ],
)
async def test_a_foreign_page_is_told_4003_after_the_upgrade_and_hears_nothing_else(
    headers: Headers, code: int
) -> None:
    accept, *rest = await converse("/", "", [], headers)
    assert accept["type"] == "websocket.accept"
    assert rest[-1]["code"] == code
    assert (len(rest) == 1) is (code == 4003), "a page that is welcome hears hello first"


async def test_a_client_of_another_subprotocol_is_told_4008_and_hears_nothing_else() -> None:
    accept, close = await converse("/", "", ["boond.v2", "chat"])
    assert accept["subprotocol"] is None
    assert close["code"] == 4008
    assert "boond.v1" in close["reason"]
