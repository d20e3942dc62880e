"""Every turn of a tenant, for its back end: pages from a position, and waiting for the next one.

Who waits shares one question a tenant, asked every `poll_s` while somebody does: idle tenants cost nothing, and a
hundred waiting calls no more than one.
"""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from actors.feed import stored_frame
from actors.journal import TenantPosition, TenantTurn
from actors.kinds import Kinds
from actors.messages import Frame
from actors.tenant_turns import TenantTurns


class FeedLimits(Struct, frozen=True, kw_only=True):
    """What a process spends on back ends that wait."""

    poll_s: float = 0.15
    """How often a tenant somebody waits for is looked at: how late, at most, a waiting call hears of a commit."""
    waiting_max: int = 256
    """Calls that wait at once, of all tenants; one more is refused (429)."""
    waiting_per_tenant_max: int = 32
    decoded_at_once_max: int = 50
    """Turns decoded before other work of the process has its turn."""


class TooManyWaiting(Exception):
    """As many calls wait as may: read without waiting, or come again later."""


class Pause(Protocol):
    """Time, so that tests need not wait for it."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class _Waiter(Struct, eq=False):
    after: TenantPosition
    news: "Future[None]"


class TenantFeed:
    """Reads the turns of tenants. What the journal raises comes through: `psycopg.Error`, `PoolTimeout`."""

    def __init__(self, turns: TenantTurns, kinds: Kinds, clock: Pause, limits: FeedLimits | None = None) -> None:
        self._turns, self._kinds, self._clock = turns, kinds, clock
        self._limits = limits or FeedLimits()
        self._waiting: dict[str, set[_Waiter]] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}

    async def end(self, tenant: str) -> TenantPosition:
        """Return the position after which whatever is committed from now on comes."""
        return await self._turns.newest_of_tenant(tenant)

    async def page(
        self, tenant: str, after: TenantPosition, limit: int, wait_s: float
    ) -> list[tuple[TenantPosition, Frame]]:
        """Return the next turns; none when none came within `wait_s`. Raises `TooManyWaiting` before it waits."""
        found = await self._turns.turns_of_tenant(tenant, after, limit)
        if not found and wait_s > 0 and await self._news(tenant, after, wait_s):
            found = await self._turns.turns_of_tenant(tenant, after, limit)
        return await self._frames(found)

    async def close(self) -> None:
        """Let those who wait go, and stop looking."""
        for waiters in self._waiting.values():
            _tell(waiters)
        for watch in tuple(self._watches.values()):
            watch.cancel()

    async def _frames(self, found: Sequence[TenantTurn]) -> list[tuple[TenantPosition, Frame]]:
        frames = []
        for number, one in enumerate(found, 1):
            entity_id = one.position.entity_id
            frames.append((one.position, stored_frame(self._kinds.of(entity_id), entity_id, one.turn)))
            if number % self._limits.decoded_at_once_max == 0:
                await asyncio.sleep(0)
        return frames

    async def _news(self, tenant: str, after: TenantPosition, wait_s: float) -> bool:
        """Wait until there is a turn after this position; False when the time is over."""
        waiters = self._waiting.get(tenant, set())
        waiter = self._admit(waiters, after)
        self._waiting[tenant] = waiters
        timer = asyncio.ensure_future(self._clock.sleep(wait_s))
        try:
            if tenant not in self._watches:
                self._watches[tenant] = asyncio.create_task(self._watch(tenant))
            await asyncio.wait({waiter.news, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not waiter.news.done():
                return False
            waiter.news.result()
            return True
        finally:
            timer.cancel()
            waiters.discard(waiter)

    def _admit(self, waiters: set[_Waiter], after: TenantPosition) -> _Waiter:
        limits = self._limits
        if len(waiters) >= limits.waiting_per_tenant_max or sum(map(len, self._waiting.values())) >= limits.waiting_max:
            raise TooManyWaiting(f"{len(waiters)} calls of this tenant wait; wait_s=0 does not")
        waiter = _Waiter(after, asyncio.get_running_loop().create_future())
        waiters.add(waiter)
        return waiter

    async def _watch(self, tenant: str) -> None:
        """Look for news as long as somebody waits for this tenant."""
        waiters = self._waiting[tenant]
        try:
            while waiters:
                newest = await self._turns.newest_of_tenant(tenant)
                _tell({waiter for waiter in waiters if waiter.after < newest})
                await self._clock.sleep(self._limits.poll_s)
        except Exception as error:
            _tell(waiters, error)
        finally:
            del self._watches[tenant], self._waiting[tenant]
            _tell(waiters)


def _tell(waiters: set[_Waiter], error: Exception | None = None) -> None:
    for waiter in waiters:
        if waiter.news.done():
            continue
        if error is None:
            waiter.news.set_result(None)
        else:
            waiter.news.set_exception(error)
