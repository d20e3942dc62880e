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
    410: "Gone",
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
    "gone": (410, "gone"),
    "too_many": (429, "too-many-requests"),
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
        return body | {name: value for name, value in self.extra.items() if name not in body}

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


_PATH = re.compile(r" - at (?:`key` in )?`\$(?:\.)?(?P<path>[^`]*)`$")
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"missing required field `(?P<name>[^`]+)`"), "is required"),
    (re.compile(r"contains unknown field `(?P<name>[^`]+)`"), "is not a field here; leave it out"),
    (re.compile(r"matching regex '\^\[A-Z\]\{3\}"), "must be an ISO 4217 currency code in capitals, such as INR"),
    (re.compile(r"matching regex '\^\[\^"), "must not hold control characters"),
    (re.compile(r"matching regex '\^\[a-z\]"), "must be a slug: a-z, 0-9, _ and -, beginning with a letter"),
    (re.compile(r"matching regex '\^\[0-9\]\{4\}"), "must be four digits"),
    (re.compile(r"matching regex '\^\[0-9\]\{6\}"), "must be six digits"),
    (re.compile(r"matching regex '\^https\?"), "must be an http or https address"),
    (
        re.compile(r"matching regex '\^\[A-Za-z0-9\]"),
        "must be letters, digits, _ . and -, beginning with a letter or digit",
    ),
    (
        re.compile(r"RFC3339 encoded datetime"),
        "must be an RFC 3339 time with an offset, such as 2026-11-20T09:30:00+05:30",
    ),
    (re.compile(r"RFC3339 encoded date"), "must be a date, such as 2026-11-20"),
    (re.compile(r"Invalid enum value"), "is not one of the values taken here; /api/v1/docs lists them"),
    (
        re.compile(r"Expected `int`, got `(float|str)`"),
        "must be a whole number (amounts are in minor units), without quotes or fraction",
    ),
)


def of_validation(error: msgspec.ValidationError) -> Trouble:
    """Return the 422 of a body that does not fit its type: names the field, and how to mend it."""
    text = str(error)
    found = _PATH.search(text)
    path = found["path"] if found else ""
    message = _PATH.sub("", text)
    message = message[:1].lower() + message[1:]
    for pattern, words in _WORDS:
        named = pattern.search(text)
        if named is None:
            continue
        message = words
        if "name" in pattern.groupindex:
            path = f"{path}.{named['name']}" if path else named["name"]
        break
    return field_trouble(path or "body", message)


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a body that is no JSON, or nested deeper than anything taken here."""


def of_decode(error: Exception) -> Trouble:
    """Return the 400 of a body that is not JSON."""
    return Trouble(400, f"The body is not valid JSON: {error}", name="malformed")
