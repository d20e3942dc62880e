"""Write the map of rules down for people: `python -m tests.conformance.page docs/conformance.md`."""

import sys
from pathlib import Path

from tests.conformance.rules import Rule, rules

HEAD = """# Which rule is held by what

Every rule of [domain.md](domain.md) by its id, with a few of the worked examples (`feature: rule`, in `tests/vectors/`)
and the tests that hold it. Made by `python -m tests.conformance.page docs/conformance.md` from
`tests/conformance/rules.json`; `tests/unit/test_conformance.py` sees that all that is named is there. How another
program runs the examples: [tests/vectors/README.md](../tests/vectors/README.md).

| id | rule | held by |
|---|---|---|
"""


def page() -> str:
    """Return the page."""
    return HEAD + "".join(f"| `{rule.id}` | {rule.rule} | {'; '.join(_held_by(rule))} |\n" for rule in rules())


def _held_by(rule: Rule) -> list[str]:
    return [*rule.vectors, *(f"`{test}`" for test in rule.tests)]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
