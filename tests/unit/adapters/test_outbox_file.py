"""Notifications in a file: its owner's alone, the last line of a user is the newest, and what is spent is gone."""

import asyncio
import json
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import run
from typing import Any

import msgspec
import pytest

from adapters.notify.outbox_file import FILE, KEPT, OutboxFile
from engine.behaviour import OutboxMessage

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Clock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


def message(number: int = 1, at: datetime = AT, **body: Any) -> OutboxMessage:
    """Return a notification."""
    encoded = msgspec.msgpack.encode({"user_id": "asha", "channel": "otp", "template": "withdraw", **body})
    return OutboxMessage("main/asha", "notify", number, 0, f"o{number}", encoded, at, 0)


def code(number: int, life_s: int = 300, at: datetime = AT) -> OutboxMessage:
    """Return a notification with a code."""
    ends = (at + timedelta(seconds=life_s)).isoformat()
    return message(number, at, code=f"{number:06d}", challenge_id=f"c{number}", expires_at=ends)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return what a person reading the files sees."""
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


async def test_a_notification_is_a_line_that_only_its_owner_may_read(tmp_path: Path) -> None:
    folder, file = tmp_path / "data" / "outbox", OutboxFile(tmp_path / "data" / "outbox", Clock())
    await file.deliver(code(1))
    await file.deliver(code(2))
    assert [(line["user_id"], line["code"], line["template"], line["outbox_id"]) for line in lines(folder)] == [
        ("asha", "000001", "withdraw", "o1"),
        ("asha", "000002", "withdraw", "o2"),
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    file.close()


async def test_a_spent_code_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path, Clock())
    for number in (1, 2):
        await file.deliver(code(number))
    await file.deliver(message(3, template="spent", spent="c1"))
    assert [line["challenge_id"] for line in lines(tmp_path)] == ["c2"]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    file.close()


async def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    """A disk that was full for a moment must not keep codes from being sent, or from being taken away."""
    file = OutboxFile(tmp_path, Clock())
    await file.deliver(code(1))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + b'{"at":"2026-11-20T09:')
    await file.deliver(code(2))
    assert [line["code"] for line in file.lines()] == ["000001", "000002"]
    await file.deliver(message(3, spent="c1"))
    assert [line["code"] for line in lines(tmp_path)] == ["000002"]
    file.close()


async def test_what_has_expired_goes_by_itself(tmp_path: Path) -> None:
    clock = Clock()
    file = OutboxFile(tmp_path, clock)
    await file.deliver(code(1, life_s=300))
    await file.deliver(message(2))
    clock.at += timedelta(seconds=299)
    await file.prune()
    assert len(lines(tmp_path)) == 2
    clock.at += timedelta(seconds=1)
    await file.prune()
    assert [line["outbox_id"] for line in lines(tmp_path)] == ["o2"]
    clock.at = AT + KEPT
    await file.prune()
    assert lines(tmp_path) == []
    file.close()


async def test_an_expired_line_is_looked_after_when_nothing_else_comes(tmp_path: Path) -> None:
    clock = Clock()
    file = OutboxFile(tmp_path, clock)
    await file.deliver(code(1, life_s=-5))
    async with asyncio.timeout(20):
        while lines(tmp_path):
            await asyncio.sleep(0.01)


async def test_what_expired_while_nobody_was_there_goes_at_the_next_start(tmp_path: Path) -> None:
    clock = Clock()
    first = OutboxFile(tmp_path, clock)
    await first.deliver(code(1, life_s=300))
    await first.deliver(message(2))
    first.close()
    clock.at += timedelta(seconds=300)
    second = OutboxFile(tmp_path, clock)
    second.begin()
    async with asyncio.timeout(20):
        while len(lines(tmp_path)) > 1:
            await asyncio.sleep(0.01)
    second.close()


async def test_what_is_no_notification_is_dropped_without_a_word_of_it_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = OutboxFile(tmp_path, Clock())
    await file.deliver(OutboxMessage("main/asha", "notify", 1, 0, "o1", b"\xa6123456", AT, 0))
    await file.deliver(code(2))
    assert len(lines(tmp_path)) == 1
    assert "123456" not in caplog.text
    assert "000002" not in caplog.text
    file.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from datetime import UTC, datetime
sys.path.insert(0, sys.argv[3])
from tests.unit.adapters.test_outbox_file import Clock, OutboxFile, code, message
async def main(folder, first):
    file = OutboxFile(Path(folder), Clock())
    for number in range(first, first + 30):
        await file.deliver(code(number))
        if number % 3 == 0:
            await file.deliver(message(number, spent=f"c{number}"))
    file.close()
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_processes_that_write_and_prune_at_once_lose_no_line(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])

    def writer(first: int) -> Callable[[], int]:
        return lambda: run([sys.executable, "-c", _WRITER, str(tmp_path), str(first), root], check=True).returncode

    await asyncio.gather(*(asyncio.to_thread(writer(first)) for first in (0, 100, 200)))
    expected = {f"c{n}" for first in (0, 100, 200) for n in range(first, first + 30) if n % 3}
    assert sorted(line["challenge_id"] for line in lines(tmp_path)) == sorted(expected)
