"""The route of the stream: who may ask, what the request says, and CORS for exactly the listed origins."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar
from msgspec import Struct

from serve import request_ids
from serve.live import positions
from serve.live.gateway import Gateway
from serve.live.names import Names
from serve.live.origins import admits
from serve.live.outbound import Disconnected
from serve.live.protocol import Auth, Position
from serve.live.severable import ABORT
from serve.live.sse import Headers, SseWire, refuse
from serve.problems import Trouble, field_trouble, of_validation

_NOWHERE = Position("", 0)
"""A position of no stream: whoever shows one is reset, and begins with a snapshot."""
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"authorization, last-event-id, cache-control, x-request-id"),
    (b"access-control-max-age", b"600"),
]


class StreamQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may say in its address, where a browser's EventSource can say nothing else."""

    ticket: str | None = None
    last_event_id: str | None = None
    names: Names = "boond"


class _StreamRoute:
    """Takes the streams of some paths, and leaves everything else to the app's own handler."""

    def __init__(self, app: Litestar, paths: Sequence[str]) -> None:
        self._app, self._next = app, app.asgi_handler
        self._paths = frozenset(paths)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "http" and scope["path"].rstrip("/") in self._paths:
            return self._answer(scope, receive, send)
        return self._next(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        given = _headers(scope)
        allowed: Sequence[str] = self._app.state.get("origins", ())
        origin = given.get(b"origin")
        welcome = admits(origin, given.get(b"host"), allowed)
        headers = [(request_ids.HEADER, request_ids.accept(given.get(request_ids.HEADER, "")).encode())]
        if allowed:
            headers.append((b"vary", b"origin"))
        if allowed and origin is not None and welcome:
            headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
        with contextlib.suppress(Disconnected):
            try:
                if not welcome:
                    self._app.state.gateway.measures.turned_away.inc("origin")
                    raise Trouble(403, "This origin may not open streams here.", name="forbidden")
                await self._serve(scope, given, receive, send, headers)
            except Trouble as trouble:
                await refuse(send, trouble, headers)

    async def _serve(self, scope: Any, given: dict[bytes, str], receive: Any, send: Any, headers: Headers) -> None:
        gateway: Gateway = self._app.state.gateway
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [*_PREFLIGHT, *headers]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        if scope["method"] != "GET":
            raise Trouble(405, "A stream is read with GET.", headers={"Allow": "GET, OPTIONS"})
        wire = SseWire(receive, send, _auth(scope, given), gateway.ports, gateway.limits, headers)
        beats = asyncio.create_task(_until_gone(wire))
        try:
            await gateway.serve(wire, (scope.get("client") or ("",))[0])
        finally:
            beats.cancel()
        if not wire.whole and (abort := scope.get("extensions", {}).get(ABORT)):
            abort()
            await _gone(receive)


async def _gone(receive: Any) -> None:
    """Wait until the server knows that its connection was cut, else it takes the answer for a broken one."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_gone(wire: SseWire) -> None:
    with contextlib.suppress(Disconnected):
        await wire.keep_alive()


def _headers(scope: Any) -> dict[bytes, str]:
    """Return the headers by name; the values of one given more than once, joined."""
    given: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        given[name] = f"{given[name]}, {text}" if name in given else text
    return given


def _auth(scope: Any, given: dict[bytes, str]) -> Auth:
    """Return what the request says as the socket's first frame would. Raises `Trouble`."""
    query = _query(scope)
    token = None
    if (header := given.get(b"authorization")) is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Trouble(401, "Send `Authorization: Bearer <access token>`, or `?ticket=`.", name="not-authenticated")
    if token is None and query.ticket is None:
        raise Trouble(401, "Send `Authorization: Bearer <access token>`, or `?ticket=`.", name="not-authenticated")
    return Auth(token and token.strip(), query.ticket, _position(given, query), query.names)


def _query(scope: Any) -> StreamQuery:
    try:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise field_trouble("query", "has too many fields") from None
    said: dict[str, str] = {}
    for name, value in pairs:
        if name in said:
            raise field_trouble(name, "is given twice")
        said[name] = value
    try:
        return msgspec.convert(said, StreamQuery)
    except msgspec.ValidationError as error:
        raise of_validation(error) from None


def _position(given: dict[bytes, str], query: StreamQuery) -> Position | None:
    """Return where to go on. The header is newer than the address: a browser that reconnects keeps its address."""
    if header := given.get(b"last-event-id"):
        return positions.read(header) or _NOWHERE
    if not query.last_event_id:
        return None
    position = positions.read(query.last_event_id)
    if position is None:
        raise field_trouble("last_event_id", "must be the `id` of an event of this stream: <epoch>:<seq>")
    return position


def with_stream(app: Litestar, *paths: str) -> Litestar:
    """Return the app, which answers the stream at `paths` too; its `state.gateway` is a `Gateway` by then."""
    app.asgi_handler = _StreamRoute(app, paths)
    return app
