"""A ticket is spent once, whoever redeems it: held against the double and real Postgres alike."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from actors import connections
from actors.runtime import Unavailable
from actors.spent_tickets import KEEP_S, SpentTicketTable
from serve.auth.tickets import SpentTickets
from tests.support.spent_tickets import MemorySpentTickets

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", "postgres"])
async def gateways(request: pytest.FixtureRequest) -> AsyncIterator[tuple[SpentTickets, SpentTickets]]:
    """What two processes of one instance hold."""
    if request.param == "memory":
        table = MemorySpentTickets()
        yield table, table
        return
    url = request.getfixturevalue("database_url")
    async with connections.pool(url, "one") as one, connections.pool(url, "other") as other:
        yield SpentTicketTable(one), SpentTicketTable(other)


async def test_of_two_gateways_that_race_for_a_ticket_one_wins(gateways: tuple[SpentTickets, SpentTickets]) -> None:
    one, other = gateways
    for number in range(20):
        ticket_id, expires_at = number.to_bytes(16), LATER + timedelta(seconds=number)
        won = await asyncio.gather(one.spend(ticket_id, expires_at), other.spend(ticket_id, expires_at + timedelta(1)))
        assert sorted(won) == [False, True]


async def test_another_ticket_is_not_spent_by_the_first(gateways: tuple[SpentTickets, SpentTickets]) -> None:
    one, other = gateways
    assert await one.spend(b"a" * 16, LATER)
    assert await other.spend(b"b" * 16, LATER)
    assert not await other.spend(b"a" * 16, LATER + timedelta(1))


async def test_ids_are_kept_longer_than_clocks_differ_and_no_longer(database_url: str) -> None:
    now = datetime.now(UTC)
    async with connections.pool(database_url, "tickets") as pool:
        for age_s, ticket_id in ((KEEP_S + 60, b"old"), (KEEP_S - 200, b"recent")):
            async with pool.connection() as connection:
                await connection.execute(
                    "INSERT INTO spent_tickets VALUES (%s, %s)", (ticket_id, now - timedelta(seconds=age_s))
                )
        await SpentTicketTable(pool).spend(b"new", now)
        async with pool.connection() as connection:
            kept = await (await connection.execute("SELECT ticket_id FROM spent_tickets")).fetchall()
        assert {row[0] for row in kept} == {b"recent", b"new"}


async def test_a_ticket_stays_spent_by_a_database_whose_clock_is_far_ahead(database_url: str) -> None:
    long_expired = datetime.now(UTC) - timedelta(seconds=KEEP_S + 60)
    async with connections.pool(database_url, "tickets") as pool:
        assert await SpentTicketTable(pool).spend(b"a" * 16, long_expired)
        assert await SpentTicketTable(pool).spend(b"b" * 16, long_expired)
        assert not await SpentTicketTable(pool).spend(b"a" * 16, long_expired)


async def test_without_postgres_nobody_says_that_the_ticket_is_spent(database_url: str) -> None:
    async with connections.pool(database_url, "tickets", timeout_s=1.0) as pool:
        table = SpentTicketTable(pool)
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute("ALTER TABLE spent_tickets RENAME TO elsewhere")
            with pytest.raises(Unavailable):
                await table.spend(b"a" * 16, LATER)
            admin.execute("ALTER TABLE elsewhere RENAME TO spent_tickets")
        assert await table.spend(b"a" * 16, LATER)
