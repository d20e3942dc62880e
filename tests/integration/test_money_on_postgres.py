"""The user's behaviour on real Postgres: an acknowledgement that is lost, bodies that change, edits that race."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from msgspec import json, structs
from typing_extensions import override

from actors.clock import utc_now
from actors.host import HostConfig, make_shard
from actors.ids import Uuid7
from actors.journal import JournalDown, TurnWrite
from actors.messages import Envelope, Outcome
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from engine.commands import Command, DepositToJar, EditTransaction, SetBudget, TransactionFields
from engine.queries import GetOverview
from serve import envelopes
from serve.auth.principal import Principal
from serve.composition import BEHAVIOUR

USER = Principal(user_id="u", tenant="main", role="user", session="", expires_at=0)
ENTITY = "main/u"


@asynccontextmanager
async def shard_on(url: str) -> AsyncIterator[EntityShard]:
    """Give a shard as the product makes it; ended as if killed."""
    shard = make_shard(HostConfig(url, "test", 1, behaviour="serve.composition:BEHAVIOUR"), 0, lambda: None)
    await shard.start()
    try:
        yield shard
    finally:
        await shard.stop()


def report(external_id: str, amount: int, **fields: Any) -> Envelope:
    """Return the envelope of a spend of one's own."""
    event = TransactionFields(external_id=external_id, source="upi", amount=amount, currency="INR", **fields)
    return envelopes.transaction(USER, event, None, "")


def told(command: Command, key: str) -> Envelope:
    """Return the envelope of another command."""
    return envelopes.command(USER, ENTITY, command, key, "")


async def look(shard: EntityShard) -> Any:
    """Read the overview."""
    [outcome] = await shard.submit([envelopes.query(USER, ENTITY, GetOverview())])
    return answer(outcome)


def answer(outcome: Outcome) -> Any:
    """Return the JSON of an outcome."""
    assert outcome.body is not None, outcome
    return json.decode(outcome.body)


class LosesAcknowledgements(PostgresJournal):
    """The connection is cut after each COMMIT while `losing`, before its answer arrives."""

    losing = False

    @override
    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        await super().commit(shard, term, turns)
        if self.losing:
            await self._writer.close()
            raise JournalDown("cut after COMMIT")


async def test_an_event_whose_acknowledgement_was_lost_is_there_once_and_its_id_is_taken(database_url: str) -> None:
    journal = LosesAcknowledgements(database_url)
    shard = EntityShard(
        BEHAVIOUR,
        journal,
        shard=0,
        shards=1,
        owner="test",
        now=utc_now,
        new_id=Uuid7(lambda: 1, lambda _: 1),
        on_fenced=lambda: None,
    )
    await shard.start()
    await look(shard)
    journal.losing = True
    [lost] = await shard.submit([report("T1", 19_725)])
    journal.losing = False
    assert lost.status == "unavailable"
    async with asyncio.timeout(20):
        while (changed := (await shard.submit([report("T1", 19_726)]))[0]).status == "unavailable":
            await asyncio.sleep(0.01)
    [again] = await shard.submit([report("T1", 19_725)])
    seen = await look(shard)
    await shard.stop()
    await journal.close()
    assert changed.problem is not None
    assert changed.problem.code == "key_reused"
    assert (again.status, answer(again)["duplicate"], answer(again)["amount"]) == ("replayed", True, 19_725)
    assert (seen["seq"], seen["burn_rate"]["spent"]) == (2, 19_725)


async def test_a_batch_with_the_same_id_twice_counts_it_once_whatever_its_second_body(database_url: str) -> None:
    async with shard_on(database_url) as shard:
        envelopes_ = [report("T1", 100), report("T1", 100), report("T1", 999), report("T2", 1), report("T1", 100)]
        outcomes = await shard.submit(envelopes_)
        seen = await look(shard)
    assert [outcome.status for outcome in outcomes] == ["done", "replayed", "refused", "done", "replayed"]
    assert len({outcome.seq for outcome in outcomes if outcome.seq}) == 2
    assert seen["burn_rate"]["spent"] == 101


async def test_edits_of_one_transaction_in_one_batch_build_on_each_other(database_url: str) -> None:
    async with shard_on(database_url) as shard:
        await shard.submit([told(SetBudget(category=c, limit=1_000), f"b-{c}") for c in ("food", "fuel", "overall")])
        [recorded] = await shard.submit([report("T1", 400, category="food")])
        transaction_id = answer(recorded)["transaction_id"]
        wanted = ["fuel", "food", "fuel", "rent", "fuel"]
        edits = [EditTransaction(transaction_id=transaction_id, category=c) for c in wanted]
        edited = await shard.submit([told(edit, f"e{i}") for i, edit in enumerate(edits)])
        seen = await look(shard)
    assert [answer(outcome)["category"] for outcome in edited] == wanted
    assert {b["category"]: b["spent"] for b in seen["budgets"]} == {"food": 0, "fuel": 400, "overall": 400}
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT category, seq FROM transactions").fetchall()
    assert rows == [("fuel", edited[-1].seq)]


async def test_reports_that_are_not_taken_leave_the_id_free_and_the_user_untouched(database_url: str) -> None:
    async with shard_on(database_url) as shard:
        early = [report("T1", 100, category="overall"), report("T1", 100, direction="credit"), report("T1", 0)]
        refused = await shard.submit(early)
        before = (await look(shard))["seq"]
        [taken] = await shard.submit([report("T1", 100)])
    assert [outcome.status for outcome in refused] == ["refused"] * 3
    assert (before, taken.status) == (1, "done")


async def test_a_snapshot_of_this_behaviour_is_what_a_replay_makes(database_url: str) -> None:
    async with shard_on(database_url) as shard:
        seen = await look(shard)
        jar_id = seen["jars"][0]["jar_id"]
        await shard.submit([report(f"T{i}", 100 + i) for i in range(30)])
        await shard.submit([told(DepositToJar(jar_id=jar_id, amount=10), f"d{i}") for i in range(3)])
        before = await look(shard)
        await shard.drain()
    async with shard_on(database_url) as shard:
        from_snapshot = await look(shard)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("DELETE FROM snapshots").rowcount == 1
    async with shard_on(database_url) as shard:
        from_journal = await look(shard)
    for later in (from_snapshot, from_journal):
        assert {**later, "at": before["at"]} == before


def test_who_reports_is_not_what_the_body_says() -> None:
    service = structs.replace(USER, role="service", user_id="wallet")
    own = report("T1", 100)
    theirs = envelopes.transaction(
        service, TransactionFields(external_id="T1", source="upi", amount=100, currency="INR"), "u", ""
    )
    assert own.entity_id == theirs.entity_id
    assert own.command_id != theirs.command_id
