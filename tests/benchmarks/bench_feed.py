"""What the feed of a tenant costs: the commit that keeps its order, a page of it, and a look for news.

Run: python -m tests.benchmarks.bench_feed [rounds]; it brings its own Postgres, takes about a minute, and needs a quiet
machine: with and without are committed in turns, and the ratio of their medians and lower quartiles is what counts.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median, quantiles

import psycopg
from msgspec import Struct, field

from actors import connections, migrate, sql
from actors.journal import BEGINNING, JournalRow, TurnWrite
from actors.postgres import PostgresJournal
from actors.slots import slot_of
from actors.tenant_turns import PooledTenantTurns
from engine.behaviour import Rows
from tests.support.postgres import new_database, server_url
from tests.support.rows import AT, transaction

USERS = 5_000
_KEPT = ", meta, xact)", ",\n        (SELECT pg_current_xact_id()::text::bigint)\n"


def _without(journal: str) -> str:
    """Return the journal's leg of the commit as it was before the column."""
    bare = journal.replace(_KEPT[0], ", meta)").replace(_KEPT[1], "\n")
    if "xact" in bare:
        raise RuntimeError("the commit statement has changed: mend this benchmark")
    return bare


def _statement(journal: str) -> Callable[[tuple[str, ...]], str]:
    def commit(legs: tuple[str, ...]) -> str:
        return f"WITH {', '.join([sql._OWN, journal, *(sql._LEGS[leg] for leg in legs)])} SELECT count(*) FROM j"

    return commit


class Side(Struct):
    """One of the two that are compared."""

    name: str
    journal: PostgresJournal
    statement: Callable[[tuple[str, ...]], str]
    term: int = 0
    heads: dict[str, int] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)

    async def commit(self, number: int, size: int) -> None:
        """Commit a batch of `size` turns of as many users, each with a transaction."""
        batch = [self._turn(user, number) for user in random.sample(range(USERS), size)]
        sql.commit = self.statement  # type: ignore[assignment]
        began = time.perf_counter()
        await self.journal.commit(0, self.term, batch)
        self.took_ms.append((time.perf_counter() - began) * 1e3)

    def _turn(self, user: int, number: int) -> TurnWrite:
        entity_id = f"main/user-{user:05}-0123456789"
        seq = self.heads[entity_id] = self.heads.get(entity_id, 0) + 1
        command = f"tx:service:wallet/upi:T{number}-{seq}:settled"
        row = JournalRow(slot_of(entity_id), entity_id, seq, command, b"h" * 32, AT, b"b" * 900, b"c" * 32, b"m" * 40)
        return TurnWrite(row, Rows([transaction(f"t{number}-{seq}", b"s" * 500)]))


async def commits(sides: list[Side], rounds: int) -> None:
    """Print what the commit costs with the column and its index, by size of batch."""
    for size in (200, 20, 1):
        for number in range(rounds):
            for side in random.sample(sides, len(sides)):
                await side.commit(number * 1_000 + size, size)
        middle = {side.name: median(side.took_ms[20:]) for side in sides}
        lower = {side.name: quantiles(side.took_ms[20:])[0] for side in sides}
        print(
            f"commit of {size:3} turns: {middle['without']:.2f} ms without, {middle['with']:.2f} ms with; ratio "
            f"{middle['with'] / middle['without']:.3f} (lower quartile {lower['with'] / lower['without']:.3f})"
        )
        for side in sides:
            side.took_ms.clear()


async def reads(url: str) -> None:
    """Print what a page, and a look for news, costs among all that was committed."""
    async with connections.pool(url, "bench-feed") as pool:
        tenant, position = PooledTenantTurns(pool), BEGINNING
        turns, began = 0, time.perf_counter()
        while page := await tenant.turns_of_tenant("main", position, 500):
            turns, position = turns + len(page), page[-1].position
        each_ms = (time.perf_counter() - began) * 1e3 / max(1, turns // 500)
        print(f"page of 500 of {turns} turns: {each_ms:.2f} ms")
        began = time.perf_counter()
        for _ in range(200):
            await tenant.newest_of_tenant("main")
        print(f"look for news: {(time.perf_counter() - began) * 5:.2f} ms")


async def main(rounds: int) -> None:
    """Print the figures."""
    with ExitStack() as databases:
        urls = [databases.enter_context(new_database(server_url())) for _ in range(2)]
        for url in urls:
            migrate.upgrade(url)
        with psycopg.connect(urls[0], autocommit=True) as connection:
            connection.execute("DROP INDEX journal_feed")
            connection.execute("ALTER TABLE journal DROP COLUMN xact")
        statements = (_statement(_without(sql._JOURNAL)), _statement(sql._JOURNAL))
        sides = [
            Side(name, PostgresJournal(url), statement)
            for name, url, statement in zip(("without", "with"), urls, statements, strict=True)
        ]
        for side in sides:
            side.term = await side.journal.claim(0, 1, "bench")
        await commits(sides, rounds)
        await reads(urls[1])
        for side in sides:
            await side.journal.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
