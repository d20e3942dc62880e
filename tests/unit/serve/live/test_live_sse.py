"""The stream of server-sent events: the socket's own connection, told as events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.datastructures import State

from serve.live.gateway import Gateway
from serve.live.limits import Limits
from serve.live.sse_route import with_stream
from tests.support.live_socket import EPOCH, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

ASHA = "main/asha"
SITE = "https://app.example"
LISTED = ("https://App.example:443", "https://other.example")
LIMITS = Limits(queue_frames_max=64, history_frames_max=10, close_s=0.05)


class Browser:
    """One request, and what came of it; `pause` makes it stop reading."""

    def __init__(self, app: Litestar, query: str = "", path: str = "/sse", method: str = "GET", **headers: str) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.text = ""
        self.ended = False
        self._reading, self._gone, self._asked = asyncio.Event(), asyncio.Event(), False
        self._reading.set()
        sent = {"host": "boond.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
        handler: Any = app.asgi_handler
        self.task = asyncio.ensure_future(handler(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self._reading.wait()
        if message["type"] == "http.response.start":
            assert self.status == 0
            self.status = message["status"]
            self.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            return
        assert self.status
        assert not self.ended
        self.text += message["body"].decode()
        self.ended = not message["more_body"]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def events(self) -> list[dict[str, str]]:
        """Every event, as its fields; comments and bare `retry` left out."""
        blocks = [[line.split(": ", 1) for line in block.split("\n")] for block in self.text.split("\n\n")]
        fields = [{line[0]: line[1] for line in block if len(line) == 2} for block in blocks]
        return [event for event in fields if "event" in event]

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(event["data"]) for event in self.events if event["event"] == kind]

    def pause(self) -> None:
        self._reading.clear()

    def unpause(self) -> None:
        self._reading.set()

    async def leave(self) -> None:
        self._gone.set()
        await settle()


@pytest.fixture
async def app(runtime: MemoryRuntime, clock: ManualClock) -> AsyncIterator[Litestar]:
    gateway = Gateway(ports(runtime, clock), LIMITS, "gateway-1")
    served = Litestar(state=State({"gateway": gateway, "origins": LISTED}), openapi_config=None, logging_config=None)
    yield with_stream(served, "/sse", "/api/v1/live/sse")
    await gateway.close()


async def opened(app: Litestar, query: str = "", user: str = "asha", ends_s: int = 3600, **headers: str) -> Browser:
    browser = Browser(app, query, authorization=f"Bearer {user}@{ends_s}", **headers)
    await settle()
    return browser


async def test_a_stream_begins_as_the_socket_does_with_positions_on_snapshot_and_turn(
    app: Litestar, runtime: MemoryRuntime
) -> None:
    runtime.commit(ASHA)
    browser = await opened(app)
    assert (browser.status, browser.header("content-type")) == (200, "text/event-stream")
    assert browser.header("cache-control") == "no-store"
    assert browser.header("x-accel-buffering") == "no"
    assert browser.text.startswith("retry: 3000\n\nevent: hello\n")
    runtime.commit(ASHA)
    await settle()
    assert browser.names == ["hello", "ready", "snapshot", "turn"]
    assert [event.get("id") for event in browser.events] == [None, None, f"{EPOCH}:1", f"{EPOCH}:2"]
    assert browser.of("turn")[0]["seq"] == 2
    assert browser.of("turn")[0]["t"] == "turn"


@pytest.mark.parametrize("path", ["/sse", "/sse/", "/api/v1/live/sse"])
async def test_the_stream_answers_wherever_serve_mounts_it(app: Litestar, path: str) -> None:
    browser = Browser(app, path=path, authorization="Bearer asha@60")
    await settle()
    assert browser.status == 200


async def test_a_browser_that_comes_back_goes_on_after_the_last_event_it_had(
    app: Litestar, runtime: MemoryRuntime
) -> None:
    for _ in range(15):
        runtime.commit(ASHA)
    by_header = await opened(app, f"last_event_id={EPOCH}:3", last_event_id=f"{EPOCH}:12")
    by_address = await opened(app, f"last_event_id={EPOCH}:12")
    at_the_head = await opened(app, last_event_id=f"{EPOCH}:15")
    for browser in (by_header, by_address):
        assert browser.of("ready")[0]["resumed"] is True
        assert [turn["seq"] for turn in browser.of("turn")] == [13, 14, 15]
        assert browser.of("snapshot") == []
    assert at_the_head.names == ["hello", "ready"]


async def test_a_browser_goes_on_at_another_gateway(app: Litestar, runtime: MemoryRuntime, clock: ManualClock) -> None:
    runtime.commit(ASHA)
    first = await opened(app)
    runtime.commit(ASHA)
    await settle()
    last = first.events[-1]["id"]
    runtime.commit(ASHA)
    gateway = Gateway(ports(runtime, clock), LIMITS, "gateway-2")
    other = Litestar(state=State({"gateway": gateway, "origins": ()}), openapi_config=None, logging_config=None)
    second = await opened(with_stream(other, "/sse"), last_event_id=last)
    assert second.names == ["hello", "ready", "turn"]
    assert second.of("turn")[0]["seq"] == 3
    await gateway.close()


@pytest.mark.parametrize("last", [f"{EPOCH}:99", "another:1", "nonsense"])
async def test_a_position_of_no_such_stream_is_reset(app: Litestar, runtime: MemoryRuntime, last: str) -> None:
    runtime.commit(ASHA)
    browser = await opened(app, last_event_id=last)
    assert browser.names == ["hello", "ready", "reset", "snapshot"]
    assert browser.of("ready")[0]["resumed"] is False


async def test_a_ticket_in_the_address_opens_one_stream(app: Litestar) -> None:
    first, second = Browser(app, "ticket=ticket:asha@60"), Browser(app, "ticket=ticket:asha@60")
    await settle()
    assert (first.status, second.status) == (200, 401)
    away = Browser(app, "ticket=away")
    await settle()
    assert (away.status, away.header("retry-after")) == (503, "5")


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 401),
        ("", {"authorization": "Basic asha"}, 401),
        ("", {"authorization": "Bearer nobody"}, 401),
        ("", {"authorization": "Bearer asha@60@service"}, 403),
        ("ticket=ticket:asha@60", {"authorization": "Bearer asha@60"}, 401),
        ("colour=red", {"authorization": "Bearer asha@60"}, 422),
        ("names=theirs", {"authorization": "Bearer asha@60"}, 422),
        ("names=boond&names=boond", {"authorization": "Bearer asha@60"}, 422),
        ("last_event_id=nonsense", {"authorization": "Bearer asha@60"}, 422),
        ("", {"authorization": "Bearer asha@60", "origin": "https://evil.example"}, 403),
    ],
)
async def test_a_refusal_before_the_stream_is_a_problem_so_that_an_event_source_rests(
    app: Litestar, query: str, headers: dict[str, str], status: int
) -> None:
    browser = Browser(app, query, **headers)
    await settle()
    assert (browser.status, browser.header("content-type")) == (status, "application/problem+json")
    assert browser.ended
    assert json.loads(browser.text)["status"] == status
    assert browser.task.done()


async def test_too_many_streams_of_a_user_are_refused_and_sockets_count_too(app: Litestar) -> None:
    held = [await opened(app) for _ in range(LIMITS.sockets_per_user_max)]
    refused = await opened(app)
    assert (refused.status, refused.header("retry-after")) == (429, "5")
    await held[0].leave()
    assert (await opened(app)).status == 200


async def test_a_stream_that_ends_says_why_and_when_to_come_back(app: Litestar) -> None:
    browser = await opened(app)
    gateway: Gateway = app.state.gateway
    await gateway.close()
    assert browser.ended
    assert browser.events[-1]["event"] == "close"
    assert browser.events[-1]["retry"] == "2000"
    assert browser.of("close")[0]["code"] == 4200


async def test_an_expired_token_is_announced_and_ends_the_stream_without_a_time_to_come_back(
    app: Litestar, clock: ManualClock
) -> None:
    browser = await opened(app, ends_s=100)
    await clock.advance(41)
    assert browser.names[-1] == "expiring"
    await clock.advance(60)
    assert browser.of("close")[0]["code"] == 4001
    assert "retry" not in browser.events[-1]
    again = await opened(app, ends_s=0)
    assert again.status == 401


async def test_heartbeats_carry_the_head_and_comments_fill_the_silence(app: Litestar, clock: ManualClock) -> None:
    browser = await opened(app)
    await clock.advance(24.5)
    assert browser.text.count(":\n\n") == 1
    await clock.advance(1)
    assert browser.of("heartbeat") == [{"t": "heartbeat", "head": 1}]
    await clock.advance(600)
    assert len(browser.of("heartbeat")) >= 24


async def test_a_stream_whose_shard_is_silent_begins_all_the_same(
    app: Litestar, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    runtime.head_gate.clear()
    browser = await opened(app)
    assert browser.status == 0
    await clock.advance(LIMITS.comment_s)
    assert (browser.status, browser.names) == (200, ["hello"])
    runtime.head_gate.set()
    await settle()
    assert browser.names == ["hello", "ready", "snapshot"]


async def test_a_reader_that_does_not_keep_up_is_ended_with_4108_and_resumes(
    app: Litestar, runtime: MemoryRuntime
) -> None:
    browser = await opened(app)
    browser.pause()
    for _ in range(LIMITS.queue_frames_max + 2):
        runtime.commit(ASHA)
        await settle()
    browser.unpause()
    await settle()
    assert browser.of("close")[0]["code"] == 4108
    assert browser.events[-1]["retry"] == "15000"
    assert browser.ended
    seqs = [turn["seq"] for turn in browser.of("turn")]
    assert seqs == list(range(2, 2 + len(seqs)))
    again = await opened(app, last_event_id=f"{EPOCH}:{seqs[-1] if seqs else 1}")
    rest = [turn["seq"] for turn in again.of("turn")]
    assert seqs + rest == list(range(2, LIMITS.queue_frames_max + 4))


async def test_a_reader_that_never_reads_again_is_let_go(
    app: Litestar, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    browser = await opened(app)
    browser.pause()
    runtime.commit(ASHA)
    await settle()
    await clock.advance(LIMITS.stall_s + LIMITS.tick_s)
    await asyncio.wait_for(asyncio.shield(browser.task), 5)
    assert app.state.gateway.sockets == 0


async def test_a_reader_that_stalls_before_the_stream_begins_is_refused_by_status(
    runtime: MemoryRuntime, clock: ManualClock
) -> None:
    """It asks on a connection whose last answer it has not read yet: the writer is ended before the head is out."""
    gateway = Gateway(ports(runtime, clock), msgspec.structs.replace(LIMITS, close_s=60), "gateway-1")
    served = Litestar(state=State({"gateway": gateway}), openapi_config=None, logging_config=None)
    browser = Browser(with_stream(served, "/sse"), authorization="Bearer asha@3600")
    browser.pause()
    await settle()
    await clock.advance(LIMITS.stall_s + LIMITS.tick_s)
    browser.unpause()
    await settle()
    assert (browser.status, browser.ended, browser.task.done()) == (503, True, True)
    assert gateway.sockets == 0
    await gateway.close()


async def test_a_client_that_leaves_gives_everything_back(app: Litestar, runtime: MemoryRuntime) -> None:
    noticed, cancelled = await opened(app), await opened(app)
    await noticed.leave()
    cancelled.task.cancel()
    await settle()
    gateway: Gateway = app.state.gateway
    assert (noticed.task.done(), cancelled.task.done()) == (True, True)
    assert (gateway.sockets, gateway.users, runtime.subscribers(ASHA)) == (0, 0, 0)


async def test_the_travel_apps_names_are_taken_from_the_address(app: Litestar, runtime: MemoryRuntime) -> None:
    browser = await opened(app, "names=jatour")
    runtime.commit(ASHA, event="budget_exceeded")
    await settle()
    assert browser.of("turn")[0]["events"][0]["type"] == "budget_threshold"


@pytest.mark.parametrize(
    ("origin", "shown"), [(SITE, SITE), ("https://boond.example", None), (f"{SITE}.evil", None), ("null", None)]
)
async def test_only_listed_origins_are_shown_the_stream(app: Litestar, origin: str, shown: str | None) -> None:
    browser = await opened(app, origin=origin)
    asked = Browser(app, method="OPTIONS", origin=origin, access_control_request_method="GET")
    await settle()
    assert (browser.status, asked.status) == ((200, 204) if shown else (403, 403))
    assert browser.header("access-control-allow-origin") == shown
    assert asked.header("access-control-allow-origin") == shown
    assert browser.header("vary") == "origin"
    assert ("authorization" in (asked.header("access-control-allow-headers") or "")) == bool(shown)


async def test_another_method_is_refused(app: Litestar) -> None:
    browser = Browser(app, method="POST", authorization="Bearer asha@60")
    await settle()
    assert (browser.status, browser.header("allow")) == (405, "GET, OPTIONS")
