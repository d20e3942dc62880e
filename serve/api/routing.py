"""One table of routes: path, body type, answer type, who may, and a handler. Litestar serves it, OpenAPI shows it.

A handler takes a `Call` (who asks, the decoded body and query) and returns an `Answer` whose body is JSON already: the
shard encodes an answer once, and it passes through as it is. Everything around it is here, once: authentication,
decoding, problem documents, request ids, size limits, idempotency keys.
"""

import logging
import re
import secrets
import time
from asyncio import timeout
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import psycopg
from litestar import HttpMethod, Request
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from actors.cause import REQUEST_ID, about
from actors.messages import Envelope, Outcome
from actors.runtime import Unavailable
from actors.tracing import TRACES, root
from engine.commands import Command
from serve import envelopes, request_ids
from serve.auth.errors import Busy, TokenRefused
from serve.auth.principal import Principal
from serve.problems import (
    MEDIA_TYPE,
    UNREADABLE,
    Trouble,
    field_trouble,
    of_decode,
    of_outcome,
    of_validation,
    unavailable,
)
from serve.services import Services

LOG = logging.getLogger("boond.api")
ACCESS = logging.getLogger("boond.access")
PREFIX = "/api/v1"
BODY_BYTES_MAX = 64 * 1024
KEY_LENGTH_MAX = 255
ID_LENGTH_MAX = 200
Headers = dict[bytes, bytes]
"""Of a request, by lower-case name; of one given twice the first."""
ANSWER_S = 20.0
"""How long a request may take, its body included: over a shard's deadline, so that a stuck part ends in a 503."""


class Answer(Struct, frozen=True):
    """A response: JSON as bytes, or another media type."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = {}
    media_type: str = "application/json"


class Call(Struct):
    """One request after authentication and decoding. `principal` is None only on public routes."""

    services: Services
    principal: Principal | None
    body: Any
    query: Any
    path: dict[str, str]
    request_id: str
    idempotency_key: str | None
    host: str
    """The `Host` of the request: how the client reached us."""
    route: "Route"

    @property
    def caller(self) -> Principal:
        """Who asks; a protected route always has one."""
        if self.principal is None:
            raise Trouble(401, "This call needs a bearer token.", name="not-authenticated")
        return self.principal

    @property
    def entity_id(self) -> str:
        """The user the call is about: one's own, or the `user_id` of the query for a service."""
        return envelopes.subject(self.caller, getattr(self.query, "user_id", None))

    async def ask(self, wanted: Any) -> Answer:
        """Answer a read from the user's actor."""
        return answered(await self.services.runtime.submit(envelopes.query(self.caller, self.entity_id, wanted)))

    async def tell(self, command: Command, status: int = 200, *, entity_id: str | None = None) -> Answer:
        """Carry out a command under the request's key, or a fresh one; on `entity_id` when not the caller's."""
        subject = entity_id or self.entity_id
        envelope = envelopes.command(self.caller, subject, command, self.command_id, self.request_id)
        return answered(await self.services.runtime.submit(envelope), status)

    @property
    def key(self) -> str:
        """The idempotency key; a fresh one, the same for the whole request, where none was sent."""
        if self.idempotency_key is None:
            self.idempotency_key = f"fresh-{secrets.token_hex(16)}"
        return self.idempotency_key

    @property
    def command_id(self) -> str:
        """The id of the request's command: of an entity it is used once."""
        target = self.route.path.format(**self.path)
        return f"http:{self.caller.name}:{self.route.method.value} {target}:{self.key}"

    async def submit(self, envelope: Envelope) -> Outcome:
        """Submit an envelope made elsewhere."""
        return await self.services.runtime.submit(envelope)


def answered(outcome: Outcome, status: int = 200) -> Answer:
    """Return an outcome as a response; raises the problem of one that was refused."""
    if outcome.body is None:
        raise of_outcome(outcome)
    headers = {"Idempotency-Replayed": "true"} if outcome.status == "replayed" else {}
    return Answer(bytes(outcome.body), status, headers)


class Route(Struct, frozen=True, kw_only=True):
    """A line of the table. `path` as in api.md with `{name}` parameters; `query` and `body` are msgspec structs."""

    method: HttpMethod
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    tag: str
    answer: Any = None
    body: Any = None
    shown_body: Any = None
    """What the document shows as the body where it is decoded piece by piece; else the same as `body`."""
    query: Any = None
    status: int = 200
    public: bool = False
    body_bytes_max: int = BODY_BYTES_MAX
    also: tuple[tuple[int, str], ...] = ()
    """Further answers worth naming in the document: (status, description)."""
    also_answer: Any = None
    """What a further answer below 300 holds, if not the same."""

    @property
    def may_be_bare(self) -> bool:
        """Whether a request without a body means one without fields: a POST that needs none of them."""
        fields = getattr(self.body, "__struct_fields__", None)
        return self.method is HttpMethod.POST and fields is not None and not _required(self.body)


class NoBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a POST takes that needs to be told nothing: no body, or one without fields."""


def _required(body: Any) -> list[str]:
    return [field.name for field in msgspec.structs.fields(body) if field.required]


def route(line: str, handler: Callable[[Call], Awaitable[Answer]], **options: Any) -> Route:
    """Return a route from its request line, `POST /jars`; its summary is the handler's docstring."""
    method, path = line.split()
    if method == "POST":
        options.setdefault("body", NoBody)
    return Route(method=HttpMethod(method), path=path, handler=handler, **options)


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Routes without query parameters still take the `user_id` a service acts for."""

    user_id: str | None = None


_NO_QUERY = NoQuery()


def handlers(
    table: Sequence[Route], services: Callable[[], Services], stripped: str | None = None
) -> list[HTTPRouteHandler]:
    """Return a Litestar handler for each line of the table; below `stripped` it answers without that part too."""
    return [_handler(route, services, stripped) for route in table]


def _handler(route: Route, services: Callable[[], Services], stripped: str | None) -> HTTPRouteHandler:
    decoder = msgspec.json.Decoder(route.body) if route.body is not None else None
    bare = route.may_be_bare
    name = _name(route)

    async def serve(request: Request[Any, Any, Any]) -> ASGIApp:
        began = time.perf_counter()
        measures = services().measures
        measures.begin()
        headers = dict(reversed(list(request.scope["headers"])))
        request_id = request_ids.accept(headers.get(request_ids.HEADER, b"").decode("latin-1"))
        REQUEST_ID.set(request_id)
        span = root(name, headers.get(b"traceparent", b"").decode("latin-1")) if TRACES.on else None
        principal = None
        try:
            async with timeout(ANSWER_S):
                if not route.public:
                    principal = authenticate(_text(headers, b"authorization"), services())
                answer = await _carry_out(route, decoder, bare, request, headers, services(), principal, request_id)
        except Exception as error:
            answer = of_exception(error, request_id)
        finally:
            measures.end()
        took_s = time.perf_counter() - began
        measures.answered(route.method.value, route.path, answer.status, took_s)
        if span is not None:
            span.end(status=answer.status, request_id=request_id)
        if ACCESS.isEnabledFor(logging.INFO):
            _note(route, answer.status, took_s, principal)
        return respond(answer, request_id)

    path = re.sub(r"\{(\w+)\}", r"{\1:str}", route.path)
    paths = [PREFIX + path] if stripped is None else [PREFIX + path, path.removeprefix(stripped)]
    return HTTPRouteHandler(paths, http_method=[route.method], status_code=200, include_in_schema=False, name=name)(
        serve
    )


def _note(route: Route, status: int, took_s: float, principal: Principal | None) -> None:
    """Write the line of an answered request: the route as the table has it, as a path or a query may hold anything."""
    who = {} if principal is None else {"principal": principal.name}
    ACCESS.info(
        "%s %s %d",
        route.method.value,
        route.path,
        status,
        extra=about(status=status, ms=round(took_s * 1e3, 2), **who),
    )


def _name(route: Route) -> str:
    return f"{route.method.value} {route.path}"


async def _carry_out(
    route: Route,
    decoder: Any,
    bare: bool,
    request: Request[Any, Any, Any],
    headers: Headers,
    services: Services,
    principal: Principal | None,
    request_id: str,
) -> Answer:
    query = _query(route, request)
    body = None
    if decoder is not None:
        raw = await _body(request, headers, route.body_bytes_max)
        if not raw and bare:
            raw = b"{}"
        try:
            body = decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise _of_body(error, raw) from None
        except UNREADABLE as error:
            raise of_decode(error) from None
    call = Call(
        services=services,
        principal=principal,
        body=body,
        query=query,
        path=_path(request),
        request_id=request_id,
        idempotency_key=_idempotency_key(headers),
        host=headers.get(b"host", b"").decode("latin-1"),
        route=route,
    )
    return await route.handler(call)


def _of_body(error: msgspec.ValidationError, raw: bytes) -> Trouble:
    """Return the 422 of a body that does not fit; the 400 of one that is no JSON behind what did not fit."""
    try:
        msgspec.json.decode(raw)
    except UNREADABLE as malformed:
        return of_decode(malformed)
    return of_validation(error)


def _path(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the parameters of the path; what could not be anyone's id goes no further."""
    given = {name: str(value) for name, value in request.path_params.items()}
    if not all(value.isprintable() and len(value) <= ID_LENGTH_MAX for value in given.values()):
        raise Trouble(404, "There is nothing by that id.", name="not-found")
    return given


def authenticate(header: str | None, services: Services) -> Principal:
    """Return who the bearer token stands for; raises the 401."""
    if header is None or header[:7].lower() != "bearer ":
        raise Trouble(
            401, "Send `Authorization: Bearer <access token>`.", headers={"WWW-Authenticate": 'Bearer realm="boond"'}
        )
    try:
        return services.verifier.verify(header[7:].strip(), services.now())
    except TokenRefused as error:
        challenge = 'Bearer realm="boond", error="invalid_token"'
        raise Trouble(401, error.detail, headers={"WWW-Authenticate": challenge}) from None


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def _body(request: Request[Any, Any, Any], headers: Headers, limit: int) -> bytes:
    declared = _text(headers, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(f"The body has {declared} bytes; at most {limit} are taken here.")
    parts, size = [], 0
    more = True
    while more:
        message: Any = await request.receive()
        if message["type"] != "http.request":
            raise Trouble(400, "The connection ended before the body did.")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise _too_large(f"The body is larger than {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


def _too_large(detail: str) -> Trouble:
    # What is left of the body is not read, so the connection cannot be used again.
    return Trouble(413, detail, name="too-large", headers={"Connection": "close"})


def _query(route: Route, request: Request[Any, Any, Any]) -> Any:
    if not request.scope["query_string"] and route.query is None:
        return _NO_QUERY
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise field_trouble(name, "is given twice")
        given[name] = value
    try:
        return msgspec.convert(given, route.query or NoQuery, strict=False)
    except msgspec.ValidationError as error:
        raise of_validation(error) from None


def _idempotency_key(headers: Headers) -> str | None:
    key = _text(headers, b"idempotency-key")
    if key is None:
        return None
    key = key.strip().removeprefix('"').removesuffix('"')
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise field_trouble("Idempotency-Key", f"must be 1-{KEY_LENGTH_MAX} printable ASCII characters")
    return key


def of_exception(error: Exception, request_id: str) -> Answer:
    """Return any exception as a problem; one nobody foresaw is logged with the request id and says no more."""
    if isinstance(error, Trouble):
        trouble = error
    elif isinstance(error, Unavailable):
        trouble = unavailable(error.detail, error.retry_after_s)
    elif isinstance(error, Busy):
        trouble = unavailable(str(error))
    elif isinstance(error, TimeoutError | psycopg.OperationalError | psycopg.InterfaceError):
        LOG.warning("a part does not answer: %s: %s", type(error).__name__, error)
        trouble = unavailable("A part of the service does not answer now; try again.")
    elif isinstance(error, HTTPException):
        trouble = Trouble(error.status_code, error.detail or "The request was refused.", headers=_allow(error))
    else:
        LOG.error("a request failed", exc_info=error)
        trouble = Trouble(500, f"Something went wrong on our side; quote request id {request_id}.", name="internal")
    return Answer(trouble.encode(), trouble.status, trouble.headers, MEDIA_TYPE)


def _allow(error: HTTPException) -> dict[str, str]:
    return {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}


def respond(answer: Answer, request_id: str) -> ASGIApp:
    """Return what sends an answer; nothing of ours is cached on the way."""
    headers = [(b"cache-control", b"no-store"), (request_ids.HEADER, request_id.encode())]
    if answer.status != 204:
        headers.append((b"content-type", answer.media_type.encode()))
        headers.append((b"content-length", b"%d" % len(answer.body)))
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]

    async def send_it(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    return send_it
