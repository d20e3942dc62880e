"""Log files: one a process, turned over at a size, written by a thread so that no event loop waits for a disk.

`FOLDER/<process>.log`, then `.log.1` (newer) to `.log.N` (older). A second process of the same name takes
`<process>-2`, and so on: a lock, which ends with its holder, says which are taken. So files are as many as processes.
"""

import contextlib
import fcntl
import logging
import os
import sys
from collections import deque
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO

from msgspec import Struct
from typing_extensions import override


class Limits(Struct, frozen=True):
    """What a process may keep: about `file_bytes_max * (old_files + 1)` on disk, `waiting_bytes_max` in memory."""

    file_bytes_max: int = 16 * 2**20
    old_files: int = 3
    waiting_bytes_max: int = 4 * 2**20
    """Lines beyond this, when the disk does not keep up, are dropped; how many, a later line says."""
    linger_s: float = 0.1
    """How long a line waits for others to be written with it; warnings do not wait."""
    names_max: int = 256


class LogFolderFull(RuntimeError):
    """Every name for a process' file is taken."""


class LogFile:
    """The file of one process. `write` never waits; `flush` writes all there is."""

    def __init__(self, folder: Path, process: str, limits: Limits | None = None) -> None:
        """Claim a name. Raises `OSError` when the folder cannot be written, and `LogFolderFull`."""
        self._limits = limits or Limits()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process, self._lock = _claim(folder, process, self._limits.names_max)
        self.path = folder / f"{self.process}.log"
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.dropped = 0
        """Lines that found no room, or no disk to be written to."""
        self._writing = Lock()
        self._news, self._urgent, self._closed = Event(), Event(), False
        self._fd = self._open()
        self._thread = Thread(target=self._write_on, name="log file", daemon=True)
        self._thread.start()

    def write(self, line: str, *, urgent: bool = False) -> None:
        """Queue a line."""
        encoded = line.encode("utf-8", "backslashreplace") + b"\n"
        if self._waiting_bytes + len(encoded) > self._limits.waiting_bytes_max:
            self.dropped += 1
            return
        self._waiting_bytes += len(encoded)
        self._waiting.append(encoded)
        if urgent and not self._urgent.is_set():
            self._urgent.set()
        if not self._news.is_set():
            self._news.set()

    def flush(self) -> None:
        """Write what waits, now, in the thread that asks."""
        with self._writing:
            parts = []
            while self._waiting:
                parts.append(self._waiting.popleft())
            # Appends of other threads meanwhile are counted again, at worst: a bound, not an account.
            self._waiting_bytes = sum(map(len, tuple(self._waiting)))
            if parts:
                self._put(b"".join(parts), len(parts))

    def close(self) -> None:
        """Write the rest and give the name back."""
        if not self._closed:
            self._closed = True
            self._news.set()
            self._urgent.set()
            self._thread.join(5.0)
            self.flush()
            os.close(self._fd)
            self._lock.close()

    def _write_on(self) -> None:
        while not self._closed:
            self._news.wait()
            self._urgent.wait(self._limits.linger_s)
            self._urgent.clear()
            self._news.clear()
            self.flush()

    def _put(self, lines: bytes, count: int) -> None:
        try:
            if os.fstat(self._fd).st_size + len(lines) > self._limits.file_bytes_max:
                self._turn_over()
            left = memoryview(lines)
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            # A full disk must not stop the money; whoever watches the worker's own stderr hears of it.
            self.dropped += count
            with contextlib.suppress(OSError):
                sys.stderr.write(f"log {self.path} cannot be written: {error}\n")

    def _turn_over(self) -> None:
        if os.fstat(self._fd).st_size == 0:
            return
        for number in range(self._limits.old_files, 0, -1):
            before = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            with contextlib.suppress(FileNotFoundError):
                before.replace(self.path.with_name(f"{self.path.name}.{number}"))
        fresh = self._open()
        os.dup2(fresh, self._fd)
        os.close(fresh)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _claim(folder: Path, process: str, names_max: int) -> tuple[str, IO[bytes]]:
    """Return the first free name and the open lock that holds it."""
    for number in range(1, names_max + 1):
        name = process if number == 1 else f"{process}-{number}"
        lock = open(os.open(folder / f".{name}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return name, lock
    raise LogFolderFull(f"{names_max} processes named {process} write to {folder}: end some, or use another folder")


class FileHandler(logging.Handler):
    """`logging`'s way into a `LogFile`."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self.file = file
        self._told = 0

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            # `logging` would print the record with its arguments, which nobody has redacted.
            record.msg, record.args, record.exc_info = (
                "a record of %s:%d cannot be shown",
                (record.name, record.lineno),
                None,
            )
            line = self.format(record)
        self.file.write(line, urgent=record.levelno >= logging.WARNING)
        if self.file.dropped != self._told:
            self._tell(self.file.dropped)

    def _tell(self, dropped: int) -> None:
        lost, self._told = dropped - self._told, dropped
        words = ("%d lines were dropped: they came faster than they could be written", (lost,), None)
        self.file.write(self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, *words)))

    @override
    def flush(self) -> None:
        self.file.flush()

    @override
    def close(self) -> None:
        self.file.close()
        super().close()
