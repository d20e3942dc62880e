"""Every rule has what holds it, and nothing that is named is missing: rules, and the table of traps."""

import json
import re
import sys
from typing import Any

import jsonschema

from tests.conformance import runner
from tests.conformance.page import page
from tests.conformance.rules import ROOT, known_vectors, missing, missing_test, rules
from tests.conformance.subject import Engine


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


def test_the_vectors_are_of_the_format_that_is_documented() -> None:
    schema = json.loads((ROOT / "tests" / "conformance" / "vectors.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted(runner.VECTORS.glob("*.json")):
        wrong = [error.json_path for error in validator.iter_errors(json.loads(path.read_text(encoding="utf-8")))]
        assert wrong == [], path.name


def test_every_example_holds_through_the_protocol_that_other_programs_speak() -> None:
    count, differs = runner.run(Engine())
    assert differs == []
    assert count == sum(1 for _ in runner.examples()) > 600


def test_the_runner_sees_what_differs() -> None:
    def wrong(request: dict[str, Any]) -> dict[str, Any]:
        return {"text": "0"} if request["do"] == "show" else {"refused": {"code": "conflict"}, "ids": {}}

    count, differs = runner.run(wrong)
    assert len(differs) > count * 0.99


def test_a_program_of_its_own_is_held_to_the_examples_over_its_standard_input() -> None:
    program = runner.Program([sys.executable, "-m", "tests.conformance.subject"])
    file, vector = next((f, v) for f, v in runner.examples() if f["feature"] == "challenges")
    runner.check(program, file, vector)
    program.end()
