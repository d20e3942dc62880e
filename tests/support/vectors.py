"""The worked examples of `tests/vectors`, carried out in process. The format: `tests/vectors/README.md`.

One runner for this engine and any other program: `tests/conformance/runner.py`. What an example may name and read of
this engine is in `tests/conformance/subject.py`.
"""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tests.conformance import runner
from tests.conformance.subject import Engine
from tests.support.person import Person

FOLDER = runner.VECTORS


class Vector(Struct, frozen=True):
    """One worked example of one rule, as it is written."""

    rule: str
    written: dict[str, Any]


class VectorFile(Struct, frozen=True):
    """The examples of a feature, with what they share, as it is written."""

    feature: str
    vectors: list[Vector]
    written: dict[str, Any]


def load(path: Path) -> VectorFile:
    """Read a file of vectors."""
    written = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    return VectorFile(written["feature"], [Vector(one["rule"], one) for one in written["vectors"]], written)


def check(vector: Vector, file: VectorFile) -> None:
    """Carry out one vector; raises `runner.Differs` naming the first difference."""
    runner.check(Engine(Person), file.written, vector.written)
