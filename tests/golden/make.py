"""Write the golden journal of a release: `PYTHONPATH=CHECKOUT python tests/golden/make.py NAME COMMIT OUT.jsonl.gz`.

The engine, the vectors and the double of a shard are those of CHECKOUT; only this file is today's. The lives: every
vector that shows a field of an event, a result or a row which no vector before it has shown, and one long, seeded life.
"""

import gzip
import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from random import Random
from types import UnionType
from typing import Any, ClassVar, get_args

import msgspec
from typing_extensions import override

from engine import commands as c
from engine.behaviour import Prediction, Refused, Turn
from engine.events import Event
from engine.hosting import STATE_SCHEMA
from engine.queries import GetOverview
from engine.views import Result
from tests.support import vectors
from tests.support.person import BEHAVIOUR, Person

START = datetime(2026, 10, 20, 6, tzinfo=UTC)
SEED = 7
STEPS = 250


class Recorded(Person):
    """A person whose every turn is kept as it was stored and answered."""

    people: ClassVar[list["Recorded"]] = []

    def __init__(self, *opening: Any) -> None:
        self.written: list[dict[str, Any]] = []
        Recorded.people.append(self)
        super().__init__(*opening)

    @override
    def do(self, command: c.Command, at: datetime, prediction: Prediction | None = None) -> Turn:
        """See `Person.do`."""
        turn = super().do(command, at, prediction)
        rows = BEHAVIOUR.rows(turn)
        self.written.append(
            {
                "at": at.isoformat(),
                "command": _text(msgspec.msgpack.encode(command)),
                "body": _text(self.bodies[-1]),
                "rows": [_text(row.sealed) for row in rows.transactions],
                "alerts": [_text(row.sealed) for row in rows.alerts],
                "timers": [_text(row.body) for row in getattr(rows, "timers", ()) if row.body is not None],
                "answer": self.answer(turn),
            }
        )
        return turn


def main(name: str, commit: str, out: str) -> None:
    """Write the file."""
    lines: list[Any] = [{"release": name, "commit": commit, "schema": STATE_SCHEMA}]
    seen: set[str] = set()
    lives = [_life(title, person) for title, person in (*_lives_of_vectors(), ("a long life", _long_life()))]
    for life in [*lives, *_lives_of_groups()]:
        shown = set(_shown(life["turns"]))
        if shown - seen:
            seen |= shown
            lines.append(life)
    missing = {_tag(kind) for union in (Event, Result) for kind in get_args(union)} - seen
    missing |= {_tag(kind) for kind in get_args(c.Command)} - {name.removeprefix("command ") for name in seen}
    if missing:
        raise SystemExit(f"no vector shows {sorted(missing)}: write one first")
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    Path(out).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{out}: {len(lines) - 1} lives, {sum(len(life['turns']) for life in lines[1:])} turns")  # noqa: T201


def _lives_of_vectors() -> Iterator[tuple[str, Recorded]]:
    vars(vectors)["Person"] = Recorded
    for path in sorted(vectors.FOLDER.glob("*.json")):
        file = vectors.load(path)
        for vector in file.vectors:
            Recorded.people.clear()
            vectors.check(vector, file)
            for person in (one for one in Recorded.people if one.written):
                yield f"{file.feature}: {vector.rule}", person


def _life(title: str, person: Recorded) -> dict[str, Any]:
    at = datetime.fromisoformat(person.written[-1]["at"])
    return {
        "life": title,
        "entity_id": person.entity_id,
        "turns": person.written,
        "read_at": at.isoformat(),
        "overview": person.overview(at),
        "balances": person.state.ledger.balances,
        "snapshot": _text(BEHAVIOUR.encode_state(person.state)),
    }


def _lives_of_groups() -> Iterator[dict[str, Any]]:
    """Return the journals of persons and groups of every vector of groups; a release without groups has none."""
    try:
        groups = import_module("tests.unit.engine.test_groups_vectors")
    except ModuleNotFoundError:
        return
    towns: list[Any] = []
    found = groups.founded

    def founded(vector: dict[str, Any]) -> Any:
        towns.append(found(vector))
        return towns[-1]

    vars(groups)["founded"] = founded
    for vector in groups.FILE["vectors"]:
        groups.test_rule(vector)
        for citizen in towns[-1].citizens.values():
            yield _citizen(f"groups: {vector['rule']}: {citizen.entity_id}", citizen, towns[-1].at)


def _citizen(title: str, citizen: Any, at: datetime) -> dict[str, Any]:
    """Return one entity of a town as a life; what was put into its books without a command has none."""
    raw = {id(turn): command for command, turn in citizen.known.values()}
    turns = []
    for turn, body in zip(citizen.turns, citizen.bodies, strict=True):
        told = raw.get(id(turn), b"")
        rows = citizen.behaviour.rows(turn)
        turns.append(
            {
                "at": turn.at.isoformat(),
                "command": _text(told),
                "body": _text(body),
                "rows": [_text(row.sealed) for row in rows.transactions],
                "alerts": [_text(row.sealed) for row in rows.alerts],
                "timers": [_text(row.body) for row in rows.timers if row.body is not None],
                "answer": json.loads(citizen.behaviour.answer(turn)) if told else None,
            }
        )
    of_group = citizen.behaviour.kind == "group"
    query = None if of_group else citizen.behaviour.query(citizen.state, GetOverview(), at, len(turns))
    return {
        "life": title,
        "entity_id": citizen.entity_id,
        "turns": turns,
        "read_at": at.isoformat(),
        "overview": {} if query is None else json.loads(query),
        "balances": citizen.state.ledger.balances,
        "snapshot": _text(citizen.behaviour.encode_state(citizen.state)),
    }


def _shown(turns: list[dict[str, Any]]) -> Iterator[str]:
    """Name every field with a value of its own, and every tag, of what the journal and the rows hold."""
    for turn in turns:
        if turn["command"]:
            yield f"command {_decoded(turn['command'])['type']}"
        yield from _fields(_decoded(turn["body"]), "")
        for row in turn["rows"]:
            yield from _fields(_decoded(row), "row.")


def _fields(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        tag = value.get("event") or value.get("type")
        if isinstance(tag, str):
            yield tag
            where = f"{tag}."
        for key, inner in value.items():
            if inner not in (None, [], {}, 0):
                yield f"{where}{key}"
                yield from _fields(inner, f"{where}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, where)


def _tag(kind: type | UnionType) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[union-attr]


def _decoded(text: str) -> Any:
    return msgspec.msgpack.decode(_bytes(text))


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return msgspec.convert(text, bytes)


def _long_life() -> Recorded:
    """One person who does everything, refused or not, for more than a year."""
    random, at = Random(SEED), START
    person = Recorded(c.OpenUser(auto_saving="on"), at)
    for step in range(STEPS):
        at += timedelta(minutes=random.choice([1, 45, 300, 1500, 1500, 4000]))
        try:
            person.do(_anything(random, person, at, step), at)
        except Refused:
            continue
    return person


def _anything(random: Random, person: Recorded, at: datetime, step: int) -> c.Command:
    jars = list(person.state.jars)
    known = list(person.transactions.values())
    if not known or random.random() < 0.6:
        return c.RecordTransaction(
            external_id=f"E{step}",
            source="upi",
            amount=random.randint(1, 40_000),
            currency=random.choice(["INR"] * 9 + ["USD"]),
            kind=random.choice(["purchase", "purchase", "purchase", "p2p", "cash", "fee", "income", "transfer"]),
            category=random.choice([None, "food", "travel"]),
            origin=random.choice(["user", "service:bank"]),
            occurred_at=at - timedelta(hours=random.choice([0, 0, 0, 30, 100])),
        )
    of = random.choice(known[-20:])
    others: list[c.Command] = [
        c.RecordTransaction(
            external_id=f"R{step}",
            source="upi",
            amount=max(1, of.amount * random.choice([30, 50, 100]) // 100),
            currency=of.currency,
            kind="refund",
            origin=of.origin,
            original_external_id=random.choice([of.external_id, of.external_id, f"E{step + 9}"]),
        ),
        c.EditTransaction(transaction_id=of.transaction_id, category=random.choice(["food", "travel", "home"])),
        c.CreateJar(name=f"Jar {step}", target_amount=random.choice([None, 5_000, 90_000]), cap_at_target=True),
        c.DepositToJar(jar_id=random.choice(jars), amount=random.randint(1, 9_000)),
        c.DeleteJar(jar_id=random.choice(jars), move_to=random.choice(jars)),
        c.SetBudget(category=random.choice(["food", "travel", "overall"]), limit=random.choice([20_000, 300_000])),
        c.UpdateProfile(time_zone=random.choice(["Asia/Kolkata", "America/New_York"])),
        c.UpdateProfile(refund_policy=random.choice(["reverse", "keep"])),
        c.UpdateProfile(rounding=c.RoundingPatch(multiplier=random.randint(1, 3))),
    ]
    return random.choice(others)


if __name__ == "__main__":
    main(*sys.argv[1:])
