"""Every turn of a tenant's users, from a position in the order of commits: what a tenant's back end reads.

Turns of several shards commit at the same time, so a number alone would lose some: one with a lower number may become
visible later. A row carries the transaction that committed it, and only rows below every running transaction are read.
"""

from typing import Any, Protocol

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from actors import sql
from actors.journal import BEGINNING, TENANT_PAGE_BYTES, StoredTurn, TenantPosition, TenantTurn


class TenantTurns(Protocol):
    """The part of `Journal` that reads a tenant."""

    async def turns_of_tenant(self, tenant: str, after: TenantPosition, limit: int) -> list[TenantTurn]:
        """See `Journal.turns_of_tenant`."""

    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        """See `Journal.newest_of_tenant`."""

    async def first_unsettled(self) -> int:
        """See `Journal.first_unsettled`."""


class PooledTenantTurns:
    """`TenantTurns` on a pool of `actors.connections`. Raises `psycopg.Error` and `psycopg_pool.PoolTimeout`."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def turns_of_tenant(self, tenant: str, after: TenantPosition, limit: int) -> list[TenantTurn]:
        """See `Journal.turns_of_tenant`."""
        async with self._pool.connection() as connection:
            return await turns_of_tenant(connection, tenant, after, limit)

    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        """See `Journal.newest_of_tenant`."""
        async with self._pool.connection() as connection:
            return await newest_of_tenant(connection, tenant)

    async def first_unsettled(self) -> int:
        """See `Journal.first_unsettled`."""
        async with self._pool.connection() as connection:
            return await first_unsettled(connection)


async def turns_of_tenant(
    connection: AsyncConnection[Any], tenant: str, after: TenantPosition, limit: int
) -> list[TenantTurn]:
    """See `Journal.turns_of_tenant`."""
    asked = {"tenant": tenant, "limit": limit, "xact": after.xact, "slot": after.slot}
    asked |= {"entity_id": after.entity_id, "seq": after.seq, "bytes": TENANT_PAGE_BYTES}
    cursor = await connection.cursor(binary=True).execute(sql.TURNS_OF_TENANT, asked)
    return [
        TenantTurn(TenantPosition(xact, slot, entity_id, seq), StoredTurn(seq, command_id, at, body, chain, meta))
        for xact, slot, entity_id, seq, command_id, at, body, chain, meta in await cursor.fetchall()
    ]


async def newest_of_tenant(connection: AsyncConnection[Any], tenant: str) -> TenantPosition:
    """See `Journal.newest_of_tenant`."""
    cursor = await connection.cursor(binary=True).execute(sql.NEWEST_OF_TENANT, {"tenant": tenant})
    row = await cursor.fetchone()
    return TenantPosition(*row) if row else BEGINNING


async def first_unsettled(connection: AsyncConnection[Any]) -> int:
    """See `Journal.first_unsettled`."""
    cursor = await connection.cursor(binary=True).execute(sql.FIRST_UNSETTLED)
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
