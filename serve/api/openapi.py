"""The OpenAPI 3.1 document, made from the table of routes and the types that decode and encode; and its page."""

import inspect
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

import msgspec
from litestar import HttpMethod

from serve.api.routing import PREFIX, NoQuery, Route
from serve.problems import MEDIA_TYPE, TITLES

_REF = "#/components/schemas/{name}"
PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """Return the whole document."""
    types = _types(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    named = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(PREFIX + route.path, {})[route.method.value.lower()] = _operation(route, named)
    paths[f"{PREFIX}/live"] = {"get": _socket("Open the live socket (subprotocol boond.v1)")}
    paths[f"{PREFIX}/live/sse"] = {"get": _stream()}
    paths[f"{PREFIX}/expenses/real-time"] = {"get": _socket("The same live socket, at the travel app's path")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Boond",
            "version": version,
            "description": "Amounts are integers in minor units beside a currency; times are RFC 3339 with an offset.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"description": "The live socket, AsyncAPI 3.0", "url": f"{PREFIX}/asyncapi.json"},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _types(routes: Sequence[Route]) -> list[Any]:
    wanted = [t for r in routes for t in (r.shown_body or r.body, r.answer, r.also_answer) if t is not None]
    return list({repr(t): t for t in wanted}.values())


def _socket(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "tags": ["live"],
        "responses": {"101": {"description": "Switching protocols; the first frame authenticates"}},
    }


def _stream() -> dict[str, Any]:
    words = {
        "ticket": "of `POST /live/ticket`, instead of the token",
        "last_event_id": "the `id` of the last event seen; the header `Last-Event-ID` goes before it",
        "names": "`boond` or `jatour`",
    }
    parameters = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in words.items()
    ]
    events = "`event` is a frame's `t`, `data` the frame, `id` its position (turn, snapshot)"
    answers: dict[str, Any] = {"200": {"description": events, "content": {"text/event-stream": {}}}}
    answers |= {str(s): {"description": TITLES[s], "content": _problem()} for s in (401, 403, 422, 429, 503)}
    return {
        "operationId": "live_sse",
        "summary": "Follow the live stream as server-sent events",
        "tags": ["live"],
        "parameters": parameters,
        "responses": answers,
        "security": [{"bearer": []}, {}],
    }


def _operation(route: Route, named: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rsplit('.', 1)[-1]}_{route.handler.__name__}",
        "summary": _summary(route),
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, named),
    }
    body = route.shown_body or route.body
    if body is not None:
        content = {"application/json": {"schema": named[repr(body)]}}
        operation["requestBody"] = {"required": not route.may_be_bare, "content": content}
    operation["security"] = [] if route.public else [{"bearer": []}]
    return operation


def _summary(route: Route) -> str:
    return (inspect.getdoc(route.handler) or route.path).splitlines()[0].removesuffix(".")


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.public:
        return []
    _, components = msgspec.json.schema_components([route.query or NoQuery], ref_template=_REF)
    properties = components[(route.query or NoQuery).__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": s} for name, s in properties.items()]


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    if route.public or route.method is HttpMethod.GET:
        return []
    words = "Same key and body: the same answer, `Idempotency-Replayed: true`. Another body: 422."
    schema = {"type": "string", "maxLength": 255}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "description": words, "schema": schema}]


def _responses(route: Route, named: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": named[repr(route.answer)]}} if route.answer is not None else None
    responses = {str(route.status): {"description": "Done", **({"content": content} if content else {})}}
    other = {"application/json": {"schema": named[repr(route.also_answer)]}} if route.also_answer else content
    for status, words in route.also:
        same = {"content": other} if other and status < 300 else {"content": _problem()}
        responses[str(status)] = {"description": words, **same}
    statuses = [] if route.public else [401, 403, 404]
    statuses += [] if route.public or route.method is HttpMethod.GET else [409]
    for status in [*statuses, *([400, 413, 422] if route.body is not None else [422]), 503]:
        responses.setdefault(str(status), {"description": TITLES[status], "content": _problem()})
    return responses


def _problem() -> dict[str, Any]:
    return {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


@cache
def _style() -> str:
    return (resources.files("serve.api") / "docs.css").read_text()


def page(described: dict[str, Any]) -> str:
    """Return the document as a page a person reads; self-contained, no script."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_entry(path, method, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in by_tag.items())
    schemas = "".join(
        f'<details id="{escape(name)}"><summary>{escape(name)}</summary><pre>{_pretty(schema)}</pre></details>'
        for name, schema in described["components"]["schemas"].items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Boond API</title><style>{_style()}</style>'
        f"<h1>Boond API {escape(described['info']['version'])}</h1><p>{escape(described['info']['description'])} "
        f'The same as <a href="openapi.json">OpenAPI 3.1</a>; the live socket is in '
        f'<a href="asyncapi.json">AsyncAPI 3.0</a>.</p>{body}<h2>Types</h2>{schemas}</html>'
    )


def _entry(path: str, method: str, operation: dict[str, Any]) -> str:
    shown = {name: operation[name] for name in ("parameters", "requestBody", "responses") if operation.get(name)}
    words = escape(operation["summary"])
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {words}</summary>"
        f"<pre>{_pretty(shown)}</pre></details>"
    )


def _pretty(value: Any) -> str:
    return escape(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
