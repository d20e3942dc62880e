"""What the senders of a run saw: counts, times, and every acknowledgement in a file for the reconciliation."""

import threading
from pathlib import Path
from typing import TextIO

import msgspec
from msgspec import Struct, field

from loadtests.histogram import Histogram
from loadtests.listening import count
from loadtests.reconcile import Ack

_WORDS_MAX = 20
ACKS, PHONES, FEED, OUTCOMES = "acks.txt", "phones.txt", "feed.txt", "outcomes.json"


class Outcomes(Struct):
    """Counts of one generator. Times run from the moment a request was due, not from when it was sent."""

    due: int = 0
    """Events that the schedule asked for."""
    sent: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    """Events sent again and recognised."""
    duplicates_missed: int = 0
    retryable: dict[str, int] = field(default_factory=dict)
    """503 and 429 problems with Retry-After, by status: the same was sent again."""
    line_errors: dict[str, int] = field(default_factory=dict)
    """Connections refused or broken, by the error's name: the same was sent again."""
    untyped: int = 0
    gave_up: int = 0
    examples: list[str] = field(default_factory=list)
    latency: dict[str, Histogram] = field(default_factory=dict)
    """By kind of request: `single`, `batch`, `read`, `write`, `socket`, and `push` as phones see it."""
    late: Histogram = field(default_factory=Histogram)
    """How late the generator sent."""
    phones: list[tuple[str, int, int, int]] = field(default_factory=list)
    """Of each phone: user, start, last `seq`, and the one it had to have seen when it left."""
    phone_resumes: int = 0
    phone_unreachable: int = 0
    """Times a phone could not open its socket within the client's patience, and tried anew."""
    feed_polls: int = 0
    feed_from: str = ""


class Notebook:
    """One generator's outcomes. May be used from several greenlets or threads."""

    def __init__(self, folder: Path, measure_from_ns: int) -> None:
        self.outcomes = Outcomes()
        self.measure_from_ns = measure_from_ns
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, TextIO] = {
            name: (folder / name).open("w", encoding="utf-8") for name in (ACKS, PHONES, FEED)
        }

    def took(self, kind: str, due_ns: int, now_ns: int) -> None:
        """Note how long something took since it was due; nothing of the warm-up."""
        if due_ns >= self.measure_from_ns:
            self.outcomes.latency.setdefault(kind, Histogram()).add_ns(now_ns - due_ns)

    def was_late(self, due_ns: int, now_ns: int) -> None:
        """Note how late a request was sent."""
        if due_ns >= self.measure_from_ns:
            self.outcomes.late.add_ns(now_ns - due_ns)

    def acknowledged(self, user: str, seq: int, external_id: str) -> None:
        """Note an event that the server says is committed."""
        self.outcomes.acknowledged += 1
        self._write(ACKS, f"{user} {seq} {external_id}")

    def heard(self, user: str, seq: int, external_id: str | None) -> None:
        """Note a turn that a phone took."""
        self._write(PHONES, f"{user} {seq} {external_id or '-'}")

    def fed(self, user: str, seq: int) -> None:
        """Note a turn that the feed gave."""
        self._write(FEED, f"{user} {seq}")

    def retryable(self, status: int) -> None:
        """Note a refusal that says: the same again, later."""
        count(self.outcomes.retryable, status)

    def line_error(self, name: str) -> None:
        """Note a connection that could not be made, or broke."""
        count(self.outcomes.line_errors, name)

    def untyped(self, what: str) -> None:
        """Note an answer that no client could act on."""
        self.outcomes.untyped += 1
        self._example(what)

    def gave_up(self, what: str) -> None:
        """Note a request without an answer after all patience."""
        self.outcomes.gave_up += 1
        self._example(f"gave up: {what}")

    def duplicate(self, *, recognised: bool, what: str) -> None:
        """Note an event that was sent again."""
        if recognised:
            self.outcomes.duplicates += 1
        else:
            self.outcomes.duplicates_missed += 1
            self._example(f"not recognised as sent before: {what}")

    def close(self) -> None:
        """Write it all to the folder."""
        with self._lock:
            for file in self._files.values():
                file.close()
        (self._folder / OUTCOMES).write_bytes(msgspec.json.encode(self.outcomes))

    def _example(self, what: str) -> None:
        if len(self.outcomes.examples) < _WORDS_MAX:
            self.outcomes.examples.append(what[:400])

    def _write(self, name: str, line: str) -> None:
        with self._lock:
            self._files[name].write(line + "\n")


def read_acks(folder: Path) -> list[Ack]:
    """Return every acknowledgement of a run."""
    lines = (folder / ACKS).read_text(encoding="utf-8").splitlines()
    return [Ack(user, int(seq), name) for user, seq, name in (line.split() for line in lines)]


def read_outcomes(folder: Path) -> Outcomes:
    """Return what a generator counted. Raises `OSError` when it ended without a word."""
    return msgspec.json.decode((folder / OUTCOMES).read_bytes(), type=Outcomes)
