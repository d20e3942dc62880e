"""The runner of `tests/vectors`: worked examples as data. The format is described in `tests/vectors/README.md`."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from engine import money
from engine.behaviour import Refused, Turn
from engine.commands import Command, RecordTransaction
from engine.queries import GetAccounts, GetBadges
from engine.queries_planning import GetSchedules
from engine.rate_book import DatedRate
from tests.support.person import BEHAVIOUR, Person

FOLDER = Path(__file__).parent.parent / "vectors"


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """A command and when it arrives."""

    at: datetime
    command: dict[str, Any]


class Amount(Struct, frozen=True, forbid_unknown_fields=True):
    """An amount to be shown to a person."""

    amount: int
    currency: str


class Refusal(Struct, frozen=True, forbid_unknown_fields=True):
    """What a refused command says: a code, and the fields it names."""

    code: str
    fields: list[str] = []
    extra: dict[str, Any] = {}


class Then(Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold after `when`. Objects are partial, lists are whole; what is absent is not looked at."""

    refused: Refusal | None = None
    events: list[dict[str, Any]] | None = None
    answer: dict[str, Any] | None = None
    overview: dict[str, Any] | None = None
    jars: dict[str, int] | None = None
    balances: dict[str, int] | None = None
    text: str | None = None
    accounts: dict[str, Any] | None = None
    recurring: dict[str, Any] | None = None
    badges: dict[str, Any] | None = None
    transactions: dict[str, Any] | None = None


class Vector(Struct, frozen=True, forbid_unknown_fields=True):
    """One worked example of one rule: a command (`when`), or an amount to `show`."""

    rule: str
    then: Then
    when: Step | None = None
    show: Amount | None = None
    open: Step | None = None
    given: list[Step] = []


class VectorFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The examples of a feature, with the opening and the transaction fields they share."""

    feature: str
    open: Step
    vectors: list[Vector]
    transaction: dict[str, Any] = {}
    rates: list[DatedRate] = []


def load(path: Path) -> VectorFile:
    """Read a file of vectors."""
    return msgspec.json.decode(path.read_bytes(), type=VectorFile)


def check(vector: Vector, file: VectorFile) -> None:
    """Carry out one vector; raises AssertionError naming the first difference."""
    if vector.show is not None:
        assert money.show(vector.show.amount, vector.show.currency) == vector.then.text
        return
    assert vector.when is not None, "a vector needs a `when` or a `show`"
    person = Person()
    person.outside.book.put(file.rates)
    for number, step in enumerate((vector.open or file.open, *vector.given)):
        person.wait(step.at)
        person.do(_command(step, file, person, number), step.at)
    fired = person.wait(vector.when.at)
    if vector.when.command["type"] == "wait":
        _check_turns(vector.then, person, fired, vector.when.at)
        return
    command, then = _command(vector.when, file, person, len(vector.given) + 1), vector.then
    try:
        turn = person.do(command, vector.when.at)
    except Refused as refused:
        _check_refusal(refused, then)
        return
    declined = BEHAVIOUR.declined(turn)
    if declined is not None:
        _check_refusal(declined, then)
        return
    assert then.refused is None, f"was carried out, but must be refused: {then.refused}"
    _check_turns(then, person, [turn], vector.when.at)


def _check_turns(then: Then, person: Person, turns: list[Turn], at: datetime) -> None:
    if then.events is not None:
        expected, found = _names(then.events, person), [_whole(event) for turn in turns for event in turn.events]
        for follows in (_is_settlement, _is_badge):
            if not any(follows(event) for event in expected):
                found = [event for event in found if not follows(event)]
        _match(expected, found, "events")
    if then.answer is not None:
        _match(_names(then.answer, person), _plain(person.answer(turns[-1]), then.answer), "answer")
    if then.overview is not None:
        _match(_names(then.overview, person), _plain(person.overview(at), then.overview), "overview")
    if then.accounts is not None:
        found = person.ask(GetAccounts(), at)["items"]
        _match(_names(then.accounts, person), {one["name"]: one for one in found}, "accounts")
    if then.recurring is not None:
        found = person.ask(GetSchedules(), at)["items"]
        _match(_names(then.recurring, person), {one["name"]: one for one in found}, "recurring")
    if then.badges is not None:
        _check_badges(then.badges, {one["badge_id"]: one for one in person.ask(GetBadges(), at)["items"]})
    if then.transactions is not None:
        by_name = {one.external_id: msgspec.to_builtins(one) for one in person.transactions.values()}
        _match(_names(then.transactions, person), by_name, "transactions")
    _check_balances(then, person)


def _check_badges(expected: dict[str, Any], found: dict[str, Any]) -> None:
    absent = {name.removeprefix("-") for name in expected if name.startswith("-")}
    assert not absent & found.keys()
    _match({name: badge for name, badge in expected.items() if not name.startswith("-")}, found, "badges")


def _plain(found: Any, expected: dict[str, Any]) -> Any:
    """Leave alerts of badges out where none is expected."""
    if isinstance(found, dict) and "alerts" in found and not any(map(_is_badge, expected.get("alerts", ()))):
        return {**found, "alerts": [alert for alert in found["alerts"] if not _is_badge(alert)]}
    return found


def _is_settlement(event: dict[str, Any]) -> bool:
    """Whether an event is what settlement adds to any turn that saves."""
    return event.get("event") in ("sweep_planned", "instruction_issued") or event.get("timer_id") == "sweep"


def _is_badge(event: dict[str, Any]) -> bool:
    """Whether an event, or an alert, is of a badge: most turns that save for the first time earn one."""
    return event.get("event") == "badge_earned" or event.get("type") == "badge"


def _check_refusal(refused: Refused, then: Then) -> None:
    assert then.refused is not None, f"was refused: {refused.detail}"
    assert (refused.code, sorted(e.field for e in refused.errors)) == (then.refused.code, sorted(then.refused.fields))
    _match(then.refused.extra, refused.extra, "refused.extra")


def _check_balances(then: Then, person: Person) -> None:
    balances = person.state.ledger.balances.get(person.state.profile.currency, {})
    if then.jars is not None:
        assert {jar.name: jar.saved for jar in person.state.jars.values()} == then.jars
    for account, amount in (then.balances or {}).items():
        assert balances.get(account, 0) == amount, f"{account} is {balances.get(account, 0)}, not {amount}"


def _command(step: Step, file: VectorFile, person: Person, number: int) -> Command:
    fields = step.command
    if fields["type"] == "record_transaction":
        fields = {"external_id": f"E{number}", **file.transaction, **fields}
        return msgspec.convert(_names(fields, person), RecordTransaction)
    fields = _names(fields, person)
    if fields["type"] == "confirm":
        code = fields.pop("code")
        code = person.outside.codes[-1] if code == "right" else code
        fields["proof"] = person.outside.digest(fields["challenge_id"], code)
    return msgspec.convert(fields, Command)  # type: ignore[no-any-return]


def _names(value: Any, person: Person) -> Any:
    """Replace `$name` by the id of the jar, else of the transaction with this external id."""
    if isinstance(value, dict):
        return {key: _names(inner, person) for key, inner in value.items()}
    if isinstance(value, list):
        return [_names(inner, person) for inner in value]
    if isinstance(value, str) and value.startswith("$"):
        ids = {jar.name: jar.jar_id for jar in person.state.jars.values()}
        ids |= {account.name: account.account_id for account in person.state.accounts.values()}
        ids |= {one.name: one.recurring_id for one in person.state.recurring.values()}
        ids |= {c.kind: c.challenge_id for c in person.state.saving.running.values()}
        ids |= {t.external_id: t.transaction_id for t in person.transactions.values()}
        if value == "$challenge":
            return list(person.state.challenges.known)[-1]
        if value == "$instruction":
            return max([*person.state.settlement.open, *person.state.settlement.finished])
        if value == "$mandate":
            assert person.state.settlement.mandate is not None
            return person.state.settlement.mandate.mandate_id
        return ids[value[1:]]
    return value


def _whole(value: Any) -> Any:
    """Return an event as plain data with its defaults, which the journal's encoding leaves out."""
    if isinstance(value, Struct):
        tag = value.__struct_config__.tag
        given = ((name, getattr(value, name)) for name in value.__struct_fields__)
        fields = {name: _whole(inner) for name, inner in given if inner is not UNSET}
        return {"event": tag, **fields} if tag else fields
    if isinstance(value, (list, tuple)):
        return [_whole(inner) for inner in value]
    return msgspec.to_builtins(value)


def _match(expected: Any, found: Any, where: str) -> None:
    if isinstance(expected, dict):
        assert isinstance(found, dict), f"{where} is {found!r}, not an object"
        for key, inner in expected.items():
            assert key in found, f"{where} has no {key!r}"
            _match(inner, found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), f"{where} is {found!r}, not a list"
        assert len(found) == len(expected), f"{where} has {len(found)} items, not {len(expected)}: {found}"
        for number, (inner, one) in enumerate(zip(expected, found, strict=True)):
            _match(inner, one, f"{where}[{number}]")
    else:
        assert found == expected, f"{where} is {found!r}, not {expected!r}"
