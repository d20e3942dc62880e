"""Statements of hosts in Postgres: what one says it moved on a day, the last upload of each day."""

from datetime import date, datetime
from typing import Any

from msgspec import Struct
from psycopg_pool import AsyncConnectionPool

_SAVE = """
INSERT INTO host_statements (tenant, day, uploaded_at, uploaded_by, entries)
VALUES (%(tenant)s, %(day)s, %(at)s, %(by)s, %(entries)s)
ON CONFLICT (tenant, day) DO UPDATE SET
    uploaded_at = EXCLUDED.uploaded_at, uploaded_by = EXCLUDED.uploaded_by, entries = EXCLUDED.entries"""
_READ = """
SELECT uploaded_at, uploaded_by, entries FROM host_statements WHERE tenant = %(tenant)s AND day = %(day)s"""


class HostStatement(Struct, frozen=True):
    """A day's statement; `entries` as the domain encoded them."""

    uploaded_at: datetime
    uploaded_by: str
    entries: bytes


class HostStatements:
    """The statements of every tenant. Raises `psycopg.Error` and `psycopg_pool.PoolTimeout`."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        """`pool` is open, and of `actors.connections.pool`."""
        self._pool = pool

    async def save(self, tenant: str, day: date, *, at: datetime, by: str, entries: bytes) -> None:
        """Keep a statement in place of the one before it."""
        parameters = {"tenant": tenant, "day": day, "at": at, "by": by, "entries": entries}
        async with self._pool.connection() as connection:
            await connection.execute(_SAVE, parameters)

    async def read(self, tenant: str, day: date) -> HostStatement | None:
        """Return the statement of a day; None when none was uploaded."""
        async with self._pool.connection() as connection:
            cursor = await connection.cursor(binary=True).execute(_READ, {"tenant": tenant, "day": day})
            row = await cursor.fetchone()
        return None if row is None else HostStatement(*row)
