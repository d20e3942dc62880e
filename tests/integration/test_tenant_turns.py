"""No turn of a tenant is passed over, however commits of several shards overlap; and pages stay cheap."""

import asyncio
import random
import re
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from actors import connections, sql
from actors.journal import BEGINNING, TENANT_PAGE_BYTES, Fenced, TenantPosition, TurnWrite
from actors.postgres import PostgresJournal
from actors.slots import slot_of
from actors.tenant_turns import PooledTenantTurns
from tests.support.postgres import new_database, server_url
from tests.support.rows import AT, turn

_ROW = """
INSERT INTO journal (slot, entity_id, seq, command_id, input_hash, term, at, body, chain, meta, xact)
VALUES (%s, %s, %s, %s, 'h', 1, %s, 'b', 'c', 'm', pg_current_xact_id()::text::bigint)"""


def row(entity_id: str, seq: int) -> tuple[object, ...]:
    return slot_of(entity_id), entity_id, seq, f"c:{seq}", AT


async def test_a_commit_that_began_first_and_ends_last_is_not_passed_over(database_url: str) -> None:
    """The lower number becomes visible after the higher one was: a naive `xact > last` would never show it."""
    async with connections.pool(database_url, "feed") as pool:
        tenant = PooledTenantTurns(pool)
        with psycopg.connect(database_url) as slow, psycopg.connect(database_url) as quick:
            slow.execute(_ROW, row("main/slow", 1))
            quick.execute(_ROW, row("main/quick", 1))
            quick.commit()
            assert await tenant.turns_of_tenant("main", BEGINNING, 10) == []
            assert await tenant.newest_of_tenant("main") == BEGINNING
            naive = quick.execute("SELECT entity_id, xact FROM journal").fetchall()
            slow.commit()
            both = quick.execute("SELECT entity_id, xact FROM journal ORDER BY xact").fetchall()
        found = await tenant.turns_of_tenant("main", BEGINNING, 10)
        assert [one.position.entity_id for one in found] == ["main/slow", "main/quick"]
        assert [entity for entity, _ in naive] == ["main/quick"]
        assert [entity for entity, xact in both if xact > naive[0][1]] == [], "the case is not the one that is meant"


class Writers:
    """Several shards of one instance that commit at once, each its own users, and what they have committed."""

    def __init__(self, url: str, number: int) -> None:
        self._journals = [PostgresJournal(url, f"writer-{n}") for n in range(number)]
        self.committed: set[tuple[str, int]] = set()
        self.writing = number

    async def run(self, commits: int, seed: int) -> None:
        await asyncio.gather(*(self._write(n, commits, random.Random(seed + n)) for n in range(len(self._journals))))

    async def _write(self, number: int, commits: int, chance: random.Random) -> None:
        journal = self._journals[number]
        term = await journal.claim(number, len(self._journals), "test")
        heads = {f"main/w{number}-{user}": 0 for user in range(3)}
        for _ in range(commits):
            turns: list[TurnWrite] = []
            for entity_id in chance.sample(list(heads), chance.randint(1, 3)):
                for _ in range(chance.randint(1, 4)):
                    heads[entity_id] += 1
                    turns.append(turn(entity_id, heads[entity_id]))
            await journal.commit(number, term, turns)
            self.committed |= {(one.row.entity_id, one.row.seq) for one in turns}
        self.writing -= 1
        await journal.close()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), writers=st.integers(2, 6), limit=st.sampled_from([1, 7, 500]))
async def test_a_reader_beside_many_writers_misses_nothing(
    migrated_template: str, seed: int, writers: int, limit: int
) -> None:
    with new_database(server_url(), migrated_template) as url:
        async with connections.pool(url, "feed") as pool:
            tenant, shards = PooledTenantTurns(pool), Writers(url, writers)
            writing = asyncio.create_task(shards.run(30, seed))
            seen: list[tuple[str, int]] = []
            position = BEGINNING
            while True:
                done = shards.writing == 0
                page = await tenant.turns_of_tenant("main", position, limit)
                seen += [(one.position.entity_id, one.position.seq) for one in page]
                position = page[-1].position if page else position
                if done and not page:
                    break
            await writing
        assert len(seen) == len(set(seen))
        assert set(seen) == shards.committed
        for entity_id in {entity for entity, _ in seen}:
            seqs = [seq for entity, seq in seen if entity == entity_id]
            assert seqs == list(range(1, len(seqs) + 1))


async def test_turns_of_before_the_column_come_first(migrated_template: str) -> None:
    with new_database(server_url(), migrated_template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_ROW, row("main/new", 1))
            connection.execute(_ROW.replace("pg_current_xact_id()::text::bigint", "0"), row("main/old", 1))
        async with connections.pool(url, "feed") as pool:
            found = await PooledTenantTurns(pool).turns_of_tenant("main", BEGINNING, 10)
        assert [(one.position.entity_id, one.position.xact == 0) for one in found] == [
            ("main/old", True),
            ("main/new", False),
        ]


async def test_a_release_that_knows_nothing_of_the_column_loses_no_turn(migrated_template: str) -> None:
    """Whoever goes back to it and forward again has cursors beyond 0: its turns must come behind them."""
    with new_database(server_url(), migrated_template) as url:
        async with connections.pool(url, "feed") as pool:
            tenant = PooledTenantTurns(pool)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_ROW, row("main/u", 1))
                [one] = await tenant.turns_of_tenant("main", BEGINNING, 10)
                older = _ROW.replace(", xact)", ")").replace(", pg_current_xact_id()::text::bigint)", ")")
                connection.execute(older, row("main/a", 1))
            assert [found.position.entity_id for found in await tenant.turns_of_tenant("main", one.position, 10)] == [
                "main/a"
            ]


async def test_a_commit_that_a_take_over_overtakes_leaves_the_order_of_its_user_alone(database_url: str) -> None:
    """A stale shard's commit has its number, the lowest, before it waits for the shard's row; then it writes nothing.

    One that has the row first is waited for by the claim, so its successor's turns have higher numbers.
    """
    old, new = PostgresJournal(database_url, "old"), PostgresJournal(database_url, "new")
    term = await old.claim(0, 1, "old")
    await old.commit(0, term, [turn("main/u", 1)])
    with psycopg.connect(database_url) as taking:
        # The claim as far as the shard's row, without what ends the old backend.
        taking.execute("UPDATE shards SET term = term + 1 WHERE shard = 0")
        stale = asyncio.create_task(old.commit(0, term, [turn("main/u", 2)]))
        with psycopg.connect(database_url, autocommit=True) as watching:
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
            while watching.execute(waits).fetchone() == (0,):
                await asyncio.sleep(0.01)
        taking.commit()
    with pytest.raises(Fenced):
        await stale
    new_term = await new.claim(0, 1, "new")
    await new.commit(0, new_term, [turn("main/u", 2)])
    await new.commit(0, new_term, [turn("main/u", 3)])
    found = await new.turns_of_tenant("main", BEGINNING, 10)
    assert [one.position.seq for one in found] == [1, 2, 3]
    assert [one.position.xact for one in found] == sorted({one.position.xact for one in found})
    await old.close()
    await new.close()


async def plan(pool: AsyncConnectionPool[Any], query: str, position: TenantPosition) -> str:
    asked = {"tenant": "main", "limit": 100, "xact": position.xact, "slot": position.slot}
    asked |= {"entity_id": position.entity_id, "seq": position.seq, "bytes": TENANT_PAGE_BYTES}
    named = {name: asked[name] for name in set(re.findall(r"%\((\w+)\)", query))}
    async with pool.connection() as connection:
        rows = await (await connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {query}", named)).fetchall()
    return "\n".join(str(row[0]) for row in rows)


async def test_a_page_is_a_merge_of_index_scans_wherever_it_begins(database_url: str) -> None:
    """Also for a planner without statistics, and among 40,000 rows of which half are from before the column."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for xact in ("0", "pg_current_xact_id()::text::bigint"):
            connection.execute(
                "INSERT INTO journal (slot, entity_id, seq, command_id, input_hash, term, at, body, chain, meta, xact)"
                f" SELECT i % 4096, 'main/u' || i, 1 + {xact}, 'c' || {xact}, 'h', 1, now(), 'b', 'c', 'm', {xact}"
                " FROM generate_series(1, 20000) AS i"
            )
    async with connections.pool(database_url, "feed") as pool:
        for position in (BEGINNING, TenantPosition(0, 2000, "main/u5", 1), TenantPosition(1, 0, "", 0)):
            page = await plan(pool, sql.TURNS_OF_TENANT, position)
            assert "Merge Append" in page
            assert "Sort Method" not in page
            assert page.count("Index Scan using journal_p") == 8
            read = [int(float(rows)) for rows in re.findall(r"Index Scan using .*?rows=([\d.]+)", page)]
            assert sum(read) <= 100 + 8
        newest = await plan(pool, sql.NEWEST_OF_TENANT, BEGINNING)
        assert newest.count("Scan Backward using journal_p") == 8
