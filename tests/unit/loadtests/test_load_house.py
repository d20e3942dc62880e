"""Load tests are strangers: they know the client, the demo and public HTTP."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
OURS = {"engine", "actors", "adapters", "online_ml", "serve", "tests"}
ALLOWED = ("serve.client", "serve.demo")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_load_tests_import_nothing_from_inside() -> None:
    sources = list((ROOT / "loadtests").glob("*.py"))
    inside = {
        f"{path.name}: {name}"
        for path in sources
        for name in imported(path)
        if name.split(".")[0] in OURS and not f"{name}.".startswith(tuple(f"{allowed}." for allowed in ALLOWED))
    }
    assert len(sources) > 5
    assert inside == set()
