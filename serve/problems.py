"""RFC 9457 problem documents: every error of ours, on HTTP and on the socket, is one of these.

A `Trouble` is raised anywhere in `serve` and becomes the answer. `type` is a relative URI under `/problems/`, a stable
name a client may branch on; `errors` names the fields that were bad and how to mend them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.messages import Outcome, Problem
from engine.behaviour import FieldError

MEDIA_TYPE = "application/problem+json"

TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Invalid input",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available now",
}
_OF_CODE = {
    "invalid": (422, "invalid"),
    "not_found": (404, "not-found"),
    "conflict": (409, "conflict"),
    "forbidden": (403, "forbidden"),
    "key_reused": (422, "key-reused"),
    "unavailable": (503, "unavailable"),
    "poison": (500, "internal"),
}
RETRY_AFTER_S = 1


class Trouble(Exception):
    """An answer that is a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        name: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name or TITLES.get(status, "error").lower().replace(" ", "-")
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        if status in (429, 503):
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_S))

    def document(self) -> dict[str, Any]:
        """Return the problem as JSON-able members."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.name}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"field": e.field, "message": e.message} for e in self.errors]
        return body | self.extra

    def encode(self) -> bytes:
        """Return the problem as JSON."""
        return msgspec.json.encode(self.document())


def field_trouble(field: str, message: str) -> Trouble:
    """Return the 422 for one bad field."""
    return Trouble(422, f"{field}: {message}", name="invalid", errors=[FieldError(field, message)])


def unavailable(detail: str, retry_after_s: float = RETRY_AFTER_S) -> Trouble:
    """Return the 503 that asks to come again."""
    return Trouble(503, detail, name="unavailable", headers={"Retry-After": str(max(1, round(retry_after_s)))})


def of_problem(problem: Problem | None) -> Trouble:
    """Return what a shard's refusal is on the wire."""
    if problem is None:
        return Trouble(500, "The request could not be carried out.", name="internal")
    status, name = _OF_CODE.get(problem.code, (500, "internal"))
    return Trouble(status, problem.detail, name=name, errors=problem.errors, extra=problem.extra)


def of_outcome(outcome: Outcome) -> Trouble:
    """Return the problem of an outcome that has no answer."""
    return of_problem(outcome.problem)


_PATH = re.compile(r" - at `\$(?:\.)?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")
_UNKNOWN = re.compile(r"contains unknown field `(?P<name>[^`]+)`")
_KEY = re.compile(r"^key in `")


def of_validation(error: msgspec.ValidationError) -> Trouble:
    """Return the 422 of a body that does not fit its type, naming the field."""
    text = str(error)
    found = _PATH.search(text)
    path = found["path"] if found else ""
    message = _PATH.sub("", text)
    for pattern, words in ((_MISSING, "is required"), (_UNKNOWN, "is not a field here; leave it out")):
        named = pattern.search(message)
        if named:
            path = f"{path}.{named['name']}" if path else named["name"]
            message = words
    return field_trouble(path or "body", message[:1].lower() + message[1:])


def of_decode(error: msgspec.DecodeError) -> Trouble:
    """Return the 400 of a body that is not JSON."""
    return Trouble(400, f"The body is not valid JSON: {error}", name="malformed")
