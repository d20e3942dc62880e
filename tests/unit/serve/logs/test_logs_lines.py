"""A record as a line, in both forms."""

import json
import logging
from typing import Any

import pytest

from actors.cause import REQUEST_ID, about
from serve.logs.lines import formatter

logger = logging.getLogger("serve.test")


def record(message: str, *args: Any, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    made = logger.makeRecord(
        "serve.test", level, __file__, 1, message, args, more.get("exc_info"), extra=more.get("extra")
    )
    made.created = 1_780_000_000.25
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = formatter("json", "shard-0").format(made)
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_a_json_line_is_one_object_with_what_the_record_is_about() -> None:
    assert as_json(record("turn of %s", "asha", extra=about(entity="main/asha", seq=4, request_id="r1"))) == {
        "time": "2026-05-28T20:26:40.250Z",
        "level": "info",
        "logger": "serve.test",
        "process": "shard-0",
        "message": "turn of asha",
        "request_id": "r1",
        "entity": "main/asha",
        "seq": 4,
    }


def test_a_line_knows_the_request_of_its_task() -> None:
    token = REQUEST_ID.set("r7")
    try:
        assert as_json(record("x"))["request_id"] == "r7"
        assert as_json(record("x", extra=about(request_id="r8")))["request_id"] == "r8"
    finally:
        REQUEST_ID.reset(token)
    assert "request_id" not in as_json(record("x"))


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_form_shows_a_secret_wherever_it_stands(form: str) -> None:
    jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln"
    made = record("token=%s", jwt, extra=about(request_id="4111111111111111", entity="main/asha@example.com", seq=1))
    line = formatter(form, "up").format(made)
    assert "***" in line
    for secret in (jwt, "4111111111111111", "asha@example.com"):
        assert secret not in line


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_is_in_a_message_cannot_pretend_to_be_another_line(form: str) -> None:
    line = formatter(form, "up").format(record("jar %s", "x\n2026-05-28T20:26:40.250Z ERROR up serve: forged"))
    assert "\n" not in line


def test_a_text_line_is_read_from_left_to_right() -> None:
    made = record("turn committed", level=logging.WARNING, extra=about(entity="main/asha", request_id="r1", seq=4))
    line = formatter("text", "shard-0").format(made)
    assert line == (
        "2026-05-28T20:26:40.250Z WARNING shard-0 serve.test: turn committed [request_id=r1 entity=main/asha seq=4]"
    )


def test_a_traceback_is_a_field_or_stands_indented_below() -> None:
    try:
        raise TypeError("no")
    except TypeError as error:
        made = record("failed", exc_info=(TypeError, error, error.__traceback__))
    assert as_json(made)["error"].endswith("TypeError: no")
    first, *below = formatter("text", "up").format(made).splitlines()
    assert first.endswith("failed")
    assert below[-1] == "    TypeError: no"
    assert all(line.startswith("    ") for line in below)
