"""The golden journals of `tests/golden`, read back: what releases wrote, and what they knew of it."""

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

FOLDER = Path(__file__).parent.parent / "golden"


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of a file: which release wrote it, and the schema of its snapshots."""

    release: str
    commit: str
    schema: str


class GoldenTurn(Struct, frozen=True, forbid_unknown_fields=True):
    """A turn: its command and body, the sealed part of the rows it wrote, and the answer its sender got."""

    at: datetime
    command: bytes
    body: bytes
    rows: list[bytes]
    alerts: list[bytes]
    timers: list[bytes]
    answer: Any


class Life(Struct, frozen=True, forbid_unknown_fields=True):
    """One entity's whole journal, and what a read after it gave."""

    life: str
    entity_id: str
    turns: list[GoldenTurn]
    read_at: datetime
    overview: dict[str, Any]
    balances: dict[str, dict[str, int]]
    snapshot: bytes


def files() -> list[Path]:
    """Return every golden file."""
    return sorted(FOLDER.glob("*.jsonl.gz"))


def release(path: Path) -> Release:
    """Return the head of a file."""
    with gzip.open(path) as lines:
        return msgspec.json.decode(next(iter(lines)), type=Release)


def lives(path: Path) -> Iterator[Life]:
    """Return the journals of a file."""
    with gzip.open(path) as lines:
        for number, line in enumerate(lines):
            if number:
                yield msgspec.json.decode(line, type=Life)


def differences(known: Any, found: Any, where: str = "") -> Iterator[str]:
    """Name what was known and is no longer so; objects may have grown fields, lists are whole."""
    if isinstance(known, dict) and isinstance(found, dict):
        for key, inner in known.items():
            if key not in found:
                yield f"{where}.{key} is gone"
            else:
                yield from differences(inner, found[key], f"{where}.{key}")
    elif isinstance(known, list) and isinstance(found, list) and len(known) == len(found):
        for number, (inner, one) in enumerate(zip(known, found, strict=True)):
            yield from differences(inner, one, f"{where}[{number}]")
    elif known != found:
        yield f"{where} was {known!r}, is {found!r}"
