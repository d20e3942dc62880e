"""The house's numbers: what no linter of ours counts."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_A_FILE_MAX = 600
LINES_A_FUNCTION_MAX = 70
PACKAGES = ("engine", "actors", "serve", "adapters", "online_ml")


def committed(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True).stdout
    found = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_house_is_seen() -> None:
    seen = {name(path) for path in committed("*.py")}
    assert {"engine/user.py", "actors/shard.py", "serve/up.py", "tests/unit/test_house.py"} <= seen


def test_no_source_file_is_over_600_lines() -> None:
    long = {name(p): n for p in committed("*.py") if (n := len(p.read_bytes().splitlines())) > LINES_A_FILE_MAX}
    assert not long


def test_no_function_is_over_70_lines() -> None:
    long = {
        f"{name(path)}::{function.name}": length(function)
        for path in committed("*.py")
        for function in functions(path)
        if length(function) > LINES_A_FUNCTION_MAX
    }
    assert not long


def test_every_module_says_what_it_is() -> None:
    modules = [path for path in committed("*.py") if path.relative_to(ROOT).parts[0] in PACKAGES]
    silent = [name(path) for path in modules if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert modules
    assert not silent


FOREIGN = {
    "a path of one machine": re.compile(rb"/(?:root|home/[a-z]\w*|work|Users/\w+)/"),
    "a fixed place in the temporary folder": re.compile(rb"[\"'\s=(]/tmp/[A-Za-z0-9]"),
    "a host of packages": re.compile(rb"https?://[^\s\"'<>]*(?:pypi|pythonhosted|simple/|artifactory|nexus|devpi)"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_committed_files_name_nothing_of_one_machine(what: str) -> None:
    pattern = FOREIGN[what]
    found = {name(path): hit[0] for path in committed() if (hit := pattern.search(path.read_bytes()))}
    assert not found


def test_every_requirement_is_pinned_with_hashes_and_no_index_is_named() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    assert [line for line in lines if line.lstrip().startswith("-") or "://" in line] == []
    loose = [line for line in lines if not re.match(r"^[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+ ", line)]
    assert loose == []
    unhashed = [line for line in lines if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", line)]
    assert unhashed == []


def links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield target


def test_links_between_pages_lead_somewhere() -> None:
    pages = committed("*.md")
    broken = [
        f"{name(page)}: {target}" for page in pages for target in links(page) if not (page.parent / target).exists()
    ]
    assert pages
    assert broken == []


def test_the_architecture_names_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:engine|actors|serve|online_ml|adapters|tests|docs)/[\w/.-]+\.\w+)(?:::\w+)?`", page))
    assert len(named) > 30
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_no_application_of_litestar_takes_over_the_logging_of_its_process() -> None:
    """By default it sets the root logger to INFO for everybody, until the process ends."""
    calls = {
        f"{name(path)}:{node.lineno}": {keyword.arg for keyword in node.keywords}
        for path in committed("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Litestar"
    }
    assert calls
    assert [place for place, given in calls.items() if "logging_config" not in given] == []
