"""The map from rules to what holds them (`rules.json`), and whether what it names is there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule in a sentence; `vectors` are `feature: rule`, `*` for all that begin so; `tests` are `path::name`."""

    id: str
    rule: str
    vectors: list[str] = []
    tests: list[str] = []


def rules() -> list[Rule]:
    """Return every rule."""
    return msgspec.json.decode((ROOT / "tests" / "conformance" / "rules.json").read_bytes(), type=list[Rule])


def known_vectors() -> set[str]:
    """Return the name of every vector, `feature: rule`."""
    read = {
        path.stem: msgspec.json.decode(path.read_bytes())
        for path in [*VECTORS.glob("*.json"), *VECTORS.glob("groups/*.json")]
    }
    return {f"{name}: {vector['rule']}" for name, file in read.items() for vector in file["vectors"]}


def missing(named: str, known: set[str]) -> bool:
    """Whether a vector, or every vector that a `*` stands for, is not there."""
    if named.endswith("*"):
        return not any(name.startswith(named[:-1]) for name in known)
    return named not in known


def missing_test(named: str) -> bool:
    """Whether a test `path::name` is not there: a function, a class, or a name given to a state machine's test case."""
    path, _, name = named.partition("::")
    file = ROOT / path
    return not file.is_file() or name not in set(_names(ast.parse(file.read_text(encoding="utf-8"))))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
