"""Several kinds of entity in one shard: each id finds its own behaviour, and none disturbs another."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

import pytest
from msgspec import Raw, Struct, json, msgpack, structs
from typing_extensions import override

from actors.client import Client
from actors.connections import pool
from actors.journal import Journal
from actors.kinds import GROUP, USER, Kinds, UnknownKind, hosted, kind_of
from actors.limits import Limits
from actors.messages import Envelope, Outcome, Pull
from actors.postgres import PostgresJournal
from actors.read_model import ReadModel
from actors.transport import Transport
from engine.behaviour import Context, Decision, Facts, Needs, Prediction, Rows, Turn
from tests.support.counter import DEFAULTS, META, Counter, balance, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import running_shard


class Found(Struct, frozen=True, tag="found"):
    """Opens a club."""

    name: str = "Goa"


class Join(Struct, frozen=True, tag="join"):
    member: str


class Joined(Struct, frozen=True, tag="joined"):
    member: str


class Members(Struct, frozen=True, tag="members"):
    pass


class ClubState(Struct):
    members: list[str] = []
    name: str = ""


_COMMANDS = msgpack.Decoder(Found | Join)
_TURNS = msgpack.Decoder(tuple[list[Found | Joined], int])


class Club(Counter):
    """Another kind: its commands, events, state and answers are none of a counter's."""

    kind = "club"

    def __init__(self, schema: str = "club-1") -> None:
        super().__init__(schema)

    @override
    def initial(self, entity_id: str) -> Any:
        return ClubState()

    @override
    def opening(self, state: Any, defaults: Any) -> Any:
        return None if state.name else defaults

    @override
    def decode_command(self, raw: bytes | Raw) -> Any:
        return _COMMANDS.decode(raw)

    @override
    def needs(self, command: Any) -> Needs | None:
        return None

    @override
    def predict(self, command: Any) -> Prediction | None:
        return None

    @override
    def decide(self, state: Any, command: Any, facts: Facts, context: Context) -> Decision:
        event = command if isinstance(command, Found) else Joined(command.member)
        return Decision([event], len(state.members) + isinstance(command, Join))

    @override
    def evolve(self, state: Any, event: Any) -> None:
        if isinstance(event, Found):
            state.name = event.name
        else:
            state.members.append(event.member)

    @override
    def query(self, state: Any, query: Any, at: datetime, seq: int) -> bytes:
        return json.encode({"name": state.name, "members": state.members})

    @override
    def decode_query(self, raw: bytes | Raw) -> Any:
        return msgpack.decode(raw, type=Members)

    @override
    def decode_state(self, encoded: bytes) -> Any:
        return msgpack.decode(encoded, type=ClubState)

    @override
    def decode_turn(self, encoded: bytes | memoryview) -> tuple[list[Any], Any]:
        events, result = _TURNS.decode(encoded)
        return list(events), result

    @override
    def answer(self, turn: Turn, *, duplicate: bool = False) -> bytes:
        return json.encode({"members": turn.result, "duplicate": duplicate})

    @override
    def rows(self, turn: Turn) -> Rows:
        return Rows()


KINDS = Kinds({USER: Counter(), GROUP: Club()})
TRIP = "main/~trip"


def join(member: str, entity_id: str = TRIP) -> Envelope:
    """Return the envelope of a joining."""
    return Envelope(entity_id, f"join-{member}", msgpack.encode(Join(member)), META, msgpack.encode(Found()))


def members(entity_id: str = TRIP) -> Envelope:
    """Return the envelope of a query."""
    return Envelope(entity_id, None, msgpack.encode(Members()), META, msgpack.encode(Found()))


def bodies(outcomes: Sequence[Outcome]) -> list[Any]:
    """Return the answers."""
    assert all(outcome.body is not None for outcome in outcomes), outcomes
    return [json.decode(outcome.body or b"") for outcome in outcomes]


@pytest.fixture(params=["memory", "postgres"])
def open_journal(request: pytest.FixtureRequest) -> Callable[[], Journal]:
    """A way to open journals on one store, as several incarnations do."""
    store = MemoryStore()
    url = request.getfixturevalue("database_url") if request.param == "postgres" else ""
    return lambda: PostgresJournal(url) if url else MemoryJournal(store)


async def test_each_entity_is_hosted_by_the_behaviour_of_its_kind(open_journal: Callable[[], Journal]) -> None:
    async with running_shard(open_journal(), behaviour=KINDS) as shard:
        done = await shard.submit([pay("main/u", "t1"), join("u"), pay("main/u", "t2"), join("v"), join("u")])
        assert [outcome.status for outcome in done] == ["done"] * 4 + ["replayed"]
        assert bodies(done)[4] == {"members": 1, "duplicate": True}
        read = bodies(await shard.submit([balance("main/u"), members()]))
    assert read == [{"balance": 200, "turns": 3, "seq": 3}, {"name": "Goa", "members": ["u", "v"]}]


async def test_snapshots_of_every_kind_are_used_and_those_of_an_old_schema_are_not(
    open_journal: Callable[[], Journal],
) -> None:
    async with running_shard(open_journal(), behaviour=KINDS, limits=Limits(snapshot_every=2)) as shard:
        await shard.submit([pay("main/u", "t1"), join("u"), join("v"), pay("main/u", "t2")])
        await shard.drain()
    newer = Kinds({USER: Counter(), GROUP: Club("club-2")})
    for kinds in (KINDS, newer):
        async with running_shard(open_journal(), behaviour=kinds) as shard:
            read = bodies(await shard.submit([members(), balance("main/u")]))
        assert read == [{"name": "Goa", "members": ["u", "v"]}, {"balance": 200, "turns": 3, "seq": 3}]


async def test_an_entity_of_any_kind_is_activated_from_its_snapshot() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store), behaviour=KINDS) as shard:
        await shard.submit([pay("main/u", "t1"), join("u")])
        await shard.drain()
    for entity_id in ("main/u", TRIP):
        store.rows[entity_id][0] = structs.replace(store.rows[entity_id][0], body=b"unreadable")
    async with running_shard(MemoryJournal(store), behaviour=KINDS) as shard:
        read = bodies(await shard.submit([balance("main/u"), members()]))
    assert read == [{"balance": 100, "turns": 2, "seq": 2}, {"name": "Goa", "members": ["u"]}]


async def test_pushes_and_history_tell_each_kind_in_its_own_words(database_url: str) -> None:
    async with running_shard(PostgresJournal(database_url), behaviour=KINDS) as shard:
        await shard.submit([join("u"), pay("main/u", "t1")])
        known = await shard.pull(Pull("g", "", 0, {TRIP: 1, "main/u": 2}))
        await shard.submit([join("v"), pay("main/u", "t2")])
        live = await shard.pull(Pull("g", known.incarnation, known.cursor))
        told = {(frame.entity_id, frame.seq): json.decode(frame.events)[0]["type"] for frame in live.frames}
        assert told == {(TRIP, 3): "Joined", ("main/u", 3): "Paid"}
        back_filled = {(frame.entity_id, frame.seq): json.decode(frame.events)[0]["type"] for frame in known.frames}
        assert back_filled == {(TRIP, 2): "Joined"}
    async with pool(database_url, "test") as connections:
        client = Client(cast("Transport", None), 1, KINDS, connections)
        assert [json.decode(f.events)[0]["type"] for f in await client.history(TRIP, 1, 9)] == ["Joined", "Joined"]
        turns = await ReadModel(connections, KINDS).turns(TRIP, limit=9)
        assert [type(turn.events[0]) for turn in turns] == [Joined, Joined, Found]


async def test_a_kind_that_is_not_hosted_is_refused_and_nobody_else_notices() -> None:
    async with running_shard(MemoryJournal()) as shard:
        outcomes = await shard.submit([join("u"), members(), pay("main/u", "t1")])
    assert [outcome.status for outcome in outcomes] == ["refused", "refused", "done"]
    assert outcomes[0].problem is not None
    assert (outcomes[0].problem.code, "group" in outcomes[0].problem.detail) == ("not_found", True)


async def test_the_command_of_one_kind_means_nothing_to_another() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, behaviour=KINDS) as shard:
        wrong = Envelope(TRIP, "p", pay(TRIP, "t").body, META, DEFAULTS)
        [outcome] = await shard.submit([wrong])
        assert (outcome.status, outcome.problem and outcome.problem.code) == ("refused", "invalid")
    assert journal.store.rows == {}


def test_the_id_says_the_kind() -> None:
    assert [kind_of(i) for i in ("main/u", "main/~g", "main/a~b", "u")] == ["user", "group", "user", "user"]
    with pytest.raises(UnknownKind, match="group"):
        hosted(Counter()).of(TRIP)


def test_two_kinds_must_not_share_a_schema() -> None:
    with pytest.raises(ValueError, match="one schema: same, same"):
        Kinds({USER: Counter("same"), GROUP: Club("same")})
