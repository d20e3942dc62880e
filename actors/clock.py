"""The clock of an instance, which a sandbox may put forward: so a test lives through fourteen days in a second.

How far it is ahead is kept in Postgres and only ever grows. Shards follow it; what a person may do with a token does
not: that is the business of the real clock.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from msgspec import Struct
from psycopg_pool import AsyncConnectionPool

from actors import sql

AHEAD_MAX = timedelta(days=3660)
"""How far ahead of the real time a sandbox may be: two locks of the longest kind, one after the other."""
MICROSECOND = timedelta(microseconds=1)


def utc_now() -> datetime:
    """Return the time of the host."""
    return datetime.now(UTC)


class InstanceClock:
    """The time as the entities of an instance see it."""

    def __init__(self, real: Callable[[], datetime] = utc_now) -> None:
        self._real = real
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return self._real() + self._ahead

    @property
    def moved(self) -> bool:
        """Whether this clock was ever put forward: then a timer sees the time it was due at, not that of the leap."""
        return bool(self._ahead)

    def put_ahead(self, ahead: timedelta) -> bool:
        """Take over how far ahead the instance is; return whether that is further than before. Never goes back."""
        if ahead <= self._ahead:
            return False
        self._ahead = ahead
        return True


class ClockRefused(ValueError):
    """The clock cannot be put there; the message says why, and what can be done."""


class ClockState(Struct, frozen=True):
    """The instance's time, how far that is ahead of the real one, and how many timers are due by it and not fired."""

    now: datetime
    ahead_s: float
    timers_due: int


class ClockTable:
    """The clock as Postgres keeps it. `pool` is open. Raises `psycopg.Error` and `psycopg_pool.PoolTimeout`."""

    def __init__(self, pool: AsyncConnectionPool[Any], real: Callable[[], datetime] = utc_now) -> None:
        self._pool = pool
        self._real = real

    async def state(self) -> ClockState:
        """Return where the clock stands."""
        async with self._pool.connection() as connection:
            return await self._state(connection)

    async def _state(self, connection: psycopg.AsyncConnection[Any]) -> ClockState:
        [(microseconds,)] = await (await connection.execute(sql.CLOCK)).fetchall()
        now = self._real() + microseconds * MICROSECOND
        [(due,)] = await (await connection.execute(sql.TIMERS_DUE, {"now": now})).fetchall()
        return ClockState(now, microseconds / 1e6, due)

    async def advance(self, to: datetime) -> ClockState:
        """Put the clock forward. Raises `ClockRefused` when that is not forward, or too far."""
        ahead = to - self._real()
        if ahead > AHEAD_MAX:
            raise ClockRefused(f"lies more than {AHEAD_MAX.days} days ahead of the real time")
        async with self._pool.connection() as connection:
            moved = await connection.execute(sql.ADVANCE_CLOCK, {"ahead": ahead // MICROSECOND})
            if await moved.fetchone() is None:
                state = await self._state(connection)
                raise ClockRefused(f"is not after {state.now.isoformat()}: this clock only goes forward")
            return await self._state(connection)
