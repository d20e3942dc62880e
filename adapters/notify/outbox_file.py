"""Notifications of the embedded default: one JSON object a line in `outbox/notifications.jsonl`, nowhere else.

A line is what a mail or a text message would carry, codes included, so the folder is its owner's alone and nothing of
a line is ever logged. A line goes when its code was used (a notification `{"spent": challenge_id}` takes it away and
leaves none of its own), when it has expired (`expires_at`), or is a week old. Several processes write: each append and
each rewriting holds the lock of the folder, and the file is opened anew, so a line of one is never lost to another.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from engine.behaviour import OutboxMessage

_log = logging.getLogger(__name__)

FILE = "notifications.jsonl"
KEPT = timedelta(days=7)
"""How long a notification without an end of its own stays."""
_PARTIAL = ".partial"


class OutboxFile:
    """Delivers channel `notify` into a folder, made when it is first needed. `now` is the instance's clock."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        self._pruning: asyncio.TimerHandle | None = None
        self._work: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Take away what expired while nobody was there, and go on. Called once, where a loop runs."""
        self._begin_pruning()

    async def deliver(self, message: OutboxMessage) -> None:
        """Append a line, or take away those of a code that was used. Raises `OSError`."""
        try:
            told = msgspec.msgpack.decode(message.body, type=dict[str, Any])
        except msgspec.DecodeError:
            _log.error("notification %s of %s is none and is dropped", message.outbox_id, message.entity_id)
            return
        if "spent" in told:
            await asyncio.to_thread(self._prune, told["spent"])
            return
        line = {"at": message.at, "outbox_id": message.outbox_id, **told}
        await asyncio.to_thread(self._append, msgspec.json.encode(line) + b"\n")
        self._prune_at(_end(line))

    async def prune(self) -> None:
        """Take away what has expired, and come back when the next line does. Raises `OSError`."""
        await asyncio.to_thread(self._prune)
        ends = [_end(line) for line in await asyncio.to_thread(self.lines)]
        if ends:
            self._prune_at(min(ends))

    def lines(self) -> list[dict[str, Any]]:
        """Return every line there is, but for one that a full disk or a crash cut off."""
        return [line for line in map(_whole, self._raw()) if line is not None]

    def _raw(self) -> list[bytes]:
        try:
            return (self._folder / FILE).read_bytes().splitlines()
        except FileNotFoundError:
            return []

    def _prune_at(self, end: datetime) -> None:
        """See to it that lines are taken away soon after the earliest of them expires."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, (end - self._now()).total_seconds()) + 1.0
        if self._pruning is None or self._pruning.cancelled() or when < self._pruning.when():
            if self._pruning is not None:
                self._pruning.cancel()
            self._pruning = loop.call_at(when, self._begin_pruning)

    def _begin_pruning(self) -> None:
        self._pruning = None
        task = asyncio.get_running_loop().create_task(self._prune_safely())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _prune_safely(self) -> None:
        try:
            await self.prune()
        except OSError as error:
            _log.warning("notifications that have expired are still there: %s", error)
            self._prune_at(self._now() + timedelta(seconds=60))

    def close(self) -> None:
        """Prune no more."""
        if self._pruning is not None:
            self._pruning.cancel()

    def _append(self, line: bytes) -> None:
        with self._locked():
            descriptor = os.open(self._folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with open(descriptor, "a+b") as file:
                size = file.seek(0, os.SEEK_END)
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    line = b"\n" + line
                file.write(line)
                file.flush()
                os.fsync(file.fileno())

    def _prune(self, spent: str | None = None) -> None:
        if not (self._folder / FILE).exists():
            return
        with self._locked():
            raw, lines, now = self._raw(), self.lines(), self._now()
            kept = [line for line in lines if _end(line) > now and (spent is None or line.get("challenge_id") != spent)]
            if len(kept) < len(raw):
                self._rewrite(kept)

    def _rewrite(self, lines: list[dict[str, Any]]) -> None:
        """Put a file of these lines in the place of the old one, which nobody reads half-written."""
        partial = self._folder / (FILE + _PARTIAL)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(partial, flags, 0o600), "wb") as file:
            file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._folder / FILE)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock, which the kernel releases when its holder dies."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _whole(raw: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _end(line: Mapping[str, Any]) -> datetime:
    """Return when a line goes."""
    given = line.get("expires_at")
    if given is not None:
        return msgspec.convert(given, datetime, strict=False)
    return msgspec.convert(line["at"], datetime, strict=False) + KEPT
