"""The turn loop on real Postgres: lost connections, poison, and snapshot + tail."""

import asyncio
from datetime import timedelta

import psycopg
from msgspec import json

from actors.limits import Limits
from actors.messages import Envelope, Outcome
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from tests.support.counter import balance, pay
from tests.support.shards import FakeClock, running_shard


async def _insist(shard: EntityShard, envelope: Envelope) -> Outcome:
    """Do as a client does: the same command again until it is answered."""
    async with asyncio.timeout(30):
        while (outcome := (await shard.submit([envelope]))[0]).status == "unavailable":
            await asyncio.sleep(0.01)
    return outcome


async def test_every_acknowledged_command_is_there_once_when_connections_are_cut(database_url: str) -> None:
    admin = psycopg.connect(database_url, autocommit=True, application_name="admin")
    with admin:
        async with running_shard(PostgresJournal(database_url)) as shard:

            async def stream(user: str) -> None:
                for number in range(60):
                    assert (await _insist(shard, pay(user, f"t{number}", 1))).status in ("done", "replayed")

            streams = [asyncio.create_task(stream(f"u{i}")) for i in range(5)]
            cuts = 0
            while not all(task.done() for task in streams):
                await asyncio.sleep(0.05)
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^boond'"
                )
                cuts += 1
            await asyncio.gather(*streams)
            assert cuts > 1
            for i in range(5):
                outcome = await _insist(shard, balance(f"u{i}"))
                assert outcome.body is not None
                assert json.decode(outcome.body) == {"balance": 60, "turns": 61, "seq": 61}
            assert shard.stats().term == 1


async def test_what_postgres_refuses_fails_alone(database_url: str) -> None:
    async with running_shard(PostgresJournal(database_url)) as shard:
        envelopes = [pay(f"u{i % 3}", f"t{i}", 1, "nul" if i == 4 else "") for i in range(9)]
        outcomes = await shard.submit(envelopes)
    assert [outcome.status for outcome in outcomes] == ["done"] * 4 + ["refused"] + ["done"] * 4


async def test_snapshot_and_tail_survive_restarts(database_url: str) -> None:
    expected = {"balance": 12, "turns": 13, "seq": 13}
    for start in (0, 4, 8):
        clock = FakeClock()
        clock.at += timedelta(days=start)
        limits = Limits(snapshot_every=5)
        async with running_shard(PostgresJournal(database_url), clock=clock, limits=limits) as shard:
            for number in range(start, start + 4):
                await shard.submit([pay("u", f"t{number}", 1)])
            if start == 4:
                await shard.drain()
    async with running_shard(PostgresJournal(database_url)) as shard:
        outcome = (await shard.submit([balance("u")]))[0]
        assert outcome.body is not None
        assert json.decode(outcome.body) == expected
        again = (await shard.submit([pay("u", "t5", 1)]))[0]
        assert (again.status, again.seq) == ("replayed", 7)
