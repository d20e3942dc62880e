"""Ids of tickets that were redeemed: an unlogged table, so a crash of Postgres empties it.

A ticket lives for half a minute and Postgres needs longer to be lost and found by most; one that was redeemed just
before such a crash could be redeemed once more.
"""

from datetime import datetime
from time import monotonic
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from actors import sql
from actors.runtime import Unavailable

PRUNE_EVERY_S = 60
KEEP_S = 300
"""How long an id outlives its ticket, and its use: more than clocks of two machines that redeem may differ."""


class SpentTicketTable:
    """One process's way to the table. `pool` is open, and of `actors.connections.pool`."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._prunes_at = 0.0

    async def spend(self, ticket_id: bytes, expires_at: datetime) -> bool:
        """Mark a ticket as spent; False when it was already, by whatever process. Raises `Unavailable`."""
        try:
            async with self._pool.connection() as connection:
                spent = await connection.execute(sql.SPEND_TICKET, {"ticket_id": ticket_id, "expires_at": expires_at})
                if not await spent.fetchone():
                    return False
                await self._prune(connection)
                return True
        except (psycopg.Error, PoolTimeout) as error:
            raise Unavailable(f"tickets cannot be redeemed now: {type(error).__name__}") from error

    async def _prune(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Now and then, delete ids whose tickets have long expired: the table holds minutes, not days."""
        now = monotonic()
        if now >= self._prunes_at:
            self._prunes_at = now + PRUNE_EVERY_S
            await connection.execute(sql.PRUNE_TICKETS, {"keep_s": KEEP_S})
