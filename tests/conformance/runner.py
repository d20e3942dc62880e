"""Hold any program to the worked examples: `python tests/conformance/runner.py -- PROGRAM ARGUMENTS`.

The program reads one JSON object a line and answers each with one (the protocol: `tests/conformance/README.md`).
Standard library only, so that it can be copied beside the vectors.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FORMAT = 1
VECTORS = Path(__file__).parent.parent / "vectors"
FOLLOWS = {"sweep_planned", "instruction_issued"}
"""What settlement adds to any turn that saves; left out of `events` unless the expected ones name one."""
COUNTED = "forbidden"
"""A wrong code is refused and counts: the one refusal that may stand in `given`."""

Subject = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers one request of the protocol."""


class Differs(AssertionError):
    """The program does not do what an example says; the message names where."""


def examples(folder: Path = VECTORS) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every vector with its file."""
    for path in sorted(folder.glob("*.json")):
        file = json.loads(path.read_text(encoding="utf-8"))
        if file.get("format", FORMAT) != FORMAT:
            raise SystemExit(f"{path.name} is of format {file['format']}; this runner reads {FORMAT}")
        for vector in file["vectors"]:
            yield file, vector


def check(subject: Subject, file: dict[str, Any], vector: dict[str, Any]) -> None:
    """Carry out one vector. Raises `Differs`."""
    then = vector["then"]
    if "show" in vector:
        match(then["text"], subject({"do": "show", **vector["show"]})["text"], "text")
        return
    begun = {"do": "begin", "rates": file.get("rates", []), "summaries": file["feature"] == "summaries"}
    ids = subject(begun).get("ids", {})
    for number, step in enumerate([vector.get("open", file["open"]), *vector.get("given", [])]):
        said = subject(_request(step, file, ids, number))
        if said.get("refused") and said["refused"]["code"] != COUNTED:
            raise Differs(f"step {number} was refused: {said['refused']}")
        ids = said["ids"]
    said = subject(_request(vector["when"], file, ids, 1 + len(vector.get("given", []))))
    ids = said["ids"]
    if said.get("refused") or "refused" in then:
        match({"fields": [], **then.get("refused", {"code": "carried out"})}, said.get("refused"), "refused")
        return
    expected = named(then, ids)
    if "events" in expected:
        match(expected["events"], _events(said["events"], expected["events"]), "events")
    if "answer" in expected:
        match(expected["answer"], _plain(said["answer"], expected["answer"]), "answer")
    _look(subject, expected, vector["when"]["at"])


def _look(subject: Subject, expected: dict[str, Any], at: str) -> None:
    reads = expected.keys() - {"refused", "events", "answer"}
    if not reads:
        return
    seen = subject({"do": "look", "at": at})
    for what in sorted(reads - {"jars", "balances"}):
        absent = {name[1:] for name in expected[what] if name.startswith("-")}
        if absent & seen[what].keys():
            raise Differs(f"{what} shows {sorted(absent & seen[what].keys())}")
        shown = {name: one for name, one in expected[what].items() if not name.startswith("-")}
        match(shown, _plain(seen[what], shown), what)
    if "jars" in expected and expected["jars"] != seen["jars"]:
        raise Differs(f"jars are {seen['jars']}, not {expected['jars']}")
    for account, amount in expected.get("balances", {}).items():
        match(amount, seen["balances"].get(account, 0), f"balances.{account}")


def _request(step: dict[str, Any], file: dict[str, Any], ids: dict[str, str], number: int) -> dict[str, Any]:
    command = step["command"]
    if command["type"] == "record_transaction":
        command = {"external_id": f"E{number}", **file.get("transaction", {}), **command}
    return {"do": "step", "at": step["at"], "command": named(command, ids)}


def _events(found: list[Any], expected: list[Any]) -> list[Any]:
    for follows in (_follows, _is_badge, _is_summary):
        if not any(map(follows, expected)):
            found = [event for event in found if not follows(event)]
    return found


def _follows(event: dict[str, Any]) -> bool:
    return event.get("event") in FOLLOWS or event.get("timer_id") == "sweep"


def _is_summary(event: dict[str, Any]) -> bool:
    return event.get("event") == "summary_planned" or event.get("timer_id") == "summary"


def _is_badge(event: dict[str, Any]) -> bool:
    return event.get("event") == "badge_earned" or event.get("type") == "badge"


def _plain(found: Any, expected: dict[str, Any]) -> Any:
    """Leave alerts of badges out where none is expected."""
    if isinstance(found, dict) and "alerts" in found and not any(map(_is_badge, expected.get("alerts", ()))):
        return {**found, "alerts": [alert for alert in found["alerts"] if not _is_badge(alert)]}
    return found


def named(value: Any, ids: dict[str, str]) -> Any:
    """Replace `$name` by the id that the program gave what is called so."""
    if isinstance(value, dict):
        return {key: named(inner, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [named(inner, ids) for inner in value]
    return ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def match(expected: Any, found: Any, where: str) -> None:
    """Compare: objects are partial, lists are whole. Raises `Differs`."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, inner in expected.items():
            if key not in found:
                raise Differs(f"{where} has no {key!r}")
            match(inner, found[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (inner, one) in enumerate(zip(expected, found, strict=True)):
            match(inner, one, f"{where}[{number}]")
    elif expected != found or type(expected) is not type(found):
        raise Differs(f"{where} is {found!r}, not {expected!r}")


class Program:
    """A subject in a process of its own: a request and an answer a line."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the program ended with {self._process.wait()} at {request}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Close its input, upon which it ends."""
        self._process.communicate()


def run(subject: Subject, folder: Path = VECTORS) -> tuple[int, list[str]]:
    """Carry out every example; return how many, and what differs."""
    differs, count = [], 0
    for file, vector in examples(folder):
        count += 1
        try:
            check(subject, file, vector)
        except Differs as difference:
            differs.append(f"{file['feature']}: {vector['rule']}: {difference}")
    return count, differs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Hold a program to the worked examples.")
    parser.add_argument("--vectors", type=Path, default=VECTORS)
    parser.add_argument("program", nargs="+")
    given = parser.parse_args()
    program = Program(given.program)
    carried_out, wrong = run(program, given.vectors)
    program.end()
    sys.stdout.writelines(
        f"{line}\n" for line in [*wrong, f"{carried_out - len(wrong)} of {carried_out} examples hold"]
    )
    sys.exit(1 if wrong else 0)
