"""Every worked example of `tests/vectors`, a test each; the id is the rule in words."""

import pytest

from tests.support import vectors

FILES = {path.stem: vectors.load(path) for path in sorted(vectors.FOLDER.glob("*.json"))}
CASES = [
    pytest.param(vector, file, id=f"{name}: {vector.rule}") for name, file in FILES.items() for vector in file.vectors
]


@pytest.mark.parametrize(("vector", "file"), CASES)
def test_rule(vector: vectors.Vector, file: vectors.VectorFile) -> None:
    vectors.check(vector, file)


def test_every_rule_is_named_once() -> None:
    names = [case.id for case in CASES]
    assert len(names) == len(set(names)) > 100
