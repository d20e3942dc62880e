"""A log record as a line: JSON for machines, text for people. Both say which request it is about."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from typing_extensions import override

from actors.cause import REQUEST_ID
from serve.logs.redaction import error_text, redacted

_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


_clean = lru_cache(maxsize=4_096)(redacted)
"""For what comes again and again: entities, principals."""


def fields_of(record: logging.LogRecord, process: str) -> dict[str, Any]:
    """Return what a record says, redacted. What `actors.cause.about` put into it comes as fields of its own."""
    about: dict[str, Any] = getattr(record, "about", None) or {}
    request_id = about.get("request_id") or REQUEST_ID.get()
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "process": process,
        "message": redacted(record.getMessage()),
    }
    if request_id:
        fields["request_id"] = redacted(request_id)
    for name, value in about.items():
        if name != "request_id":
            fields[name] = _clean(value) if isinstance(value, str) else value
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = error_text(record.exc_info[1], record.exc_info[2])
    return fields


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    @override
    def format(self, record: logging.LogRecord) -> str:
        return _encode(fields_of(record, self._process)).decode()


class TextLines(logging.Formatter):
    """One line a record, `time LEVEL process logger: message [name=value …]`; a traceback follows, indented."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = fields_of(record, self._process)
        at, level, logger, process, message = (fields.pop(n) for n in ("time", "level", "logger", "process", "message"))
        error = fields.pop("error", None)
        rest = "".join(f" {name}={value}" for name, value in fields.items())
        # A line stays a line: what is in a message cannot pretend to be another.
        words = message.replace("\n", "\\n").replace("\r", "\\r")
        line = f"{at} {level.upper():<7} {process} {logger}: {words}{f' [{rest[1:]}]' if rest else ''}"
        return line if error is None else line + "\n    " + error.replace("\n", "\n    ")


def formatter(form: str, process: str) -> logging.Formatter:
    """Return what makes lines of a form, `json` or `text`."""
    return JsonLines(process) if form == "json" else TextLines(process)
