"""Every rule has what holds it, and nothing that is named is missing: rules, and the table of traps."""

import re

from tests.conformance.page import page
from tests.conformance.rules import ROOT, known_vectors, missing, missing_test, rules


def test_every_rule_is_held_by_something_that_is_there() -> None:
    known = known_vectors()
    assert len({rule.id for rule in rules()}) == len(rules()) > 50
    assert [rule.id for rule in rules() if not rule.vectors and not rule.tests] == []
    gone = [f"{rule.id}: {named}" for rule in rules() for named in rule.vectors if missing(named, known)]
    gone += [f"{rule.id}: {named}" for rule in rules() for named in rule.tests if missing_test(named)]
    assert gone == []


def test_the_page_of_rules_is_written_anew() -> None:
    written = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.conformance.page docs/conformance.md"


def test_every_trap_has_a_test_or_a_reason() -> None:
    text = (ROOT / "docs" / "domain.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0].strip("| ")) for row in rows] == list(range(1, 77))
    known = known_vectors()
    gone: list[str] = []
    for number, _, held in rows:
        vectors, tests = re.findall(r"`(\w+: [^`]+)`", held), re.findall(r"`(tests/[^`]+::\w+)`", held)
        gone += [f"{number}: {named}" for named in vectors if missing(named, known)]
        gone += [f"{number}: {named}" for named in tests if missing_test(named)]
        if not vectors and not tests:
            assert re.match(r"(Does not apply|Not yet \(issue \d\)): ", held), f"{number} has no test and no reason"
    assert gone == []
