"""The layout of an instance: how many shards there are, and the term that fences every shard of an older layout."""

from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable

from actors import sql
from actors.connections import connect
from actors.slots import shard_of

__all__ = ["claim_layout", "shard_of", "stream_id"]

_END_WAIT_MS = 5_000


async def claim_layout(url: str, shards: int, owner: str) -> bool:
    """Make `shards` the layout; return whether it changed. The same layout again changes nothing.

    A changed layout raises the term of *every* known shard, also of those it no longer has: until the new shards claim
    their terms nobody can commit, so no slot has two writers. Raises `psycopg.Error`.
    """
    async with await connect(url, "boond-layout") as connection:
        while True:
            try:
                async with connection.transaction():
                    await connection.execute("SET LOCAL lock_timeout = '2s'")
                    return await _change_layout(connection, shards, owner)
            except LockNotAvailable:
                for shard in await _shard_numbers(connection):
                    await connection.execute(sql.END_BACKEND, {"shard": shard, "term": None, "wait_ms": _END_WAIT_MS})


async def _change_layout(connection: psycopg.AsyncConnection[Any], shards: int, owner: str) -> bool:
    row = await (await connection.execute(sql.LOCK_LAYOUT)).fetchone()
    if row is not None and row[0] == shards:
        return False
    for shard in await _shard_numbers(connection):
        await connection.execute(sql.FENCE_SHARD, {"shard": shard, "owner": owner})
    await connection.execute(sql.SET_LAYOUT, {"shards": shards})
    return True


async def _shard_numbers(connection: psycopg.AsyncConnection[Any]) -> list[int]:
    return [row[0] for row in await (await connection.execute(sql.SHARD_NUMBERS)).fetchall()]


async def stream_id(url: str) -> str:
    """Return the journal's stream id: `epoch` on the wire, made with the database, changed only by a restore."""
    async with await connect(url, "boond-stream") as connection:
        row = await (await connection.execute(sql.STREAM_ID)).fetchone()
        return str(row[0]) if row else ""
