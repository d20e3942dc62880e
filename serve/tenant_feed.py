"""Every turn of a tenant, for its back end: pages from a position, and waiting for the next one.

Who waits shares one question a tenant, asked every `poll_s` while somebody does: idle tenants cost nothing, and a
hundred waiting calls no more than one.
"""

import asyncio
import logging
from asyncio import Future
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from actors.cause import about
from actors.feed import stored_frame, unreadable_frame
from actors.journal import BEGINNING, TenantPosition, TenantTurn
from actors.kinds import Kinds
from actors.messages import Frame
from actors.tenant_turns import TenantTurns

_log = logging.getLogger(__name__)


class FeedLimits(Struct, frozen=True, kw_only=True):
    """What a process spends on back ends that wait."""

    poll_s: float = 0.15
    """How often a tenant somebody waits for is looked at: how late, at most, a waiting call hears of a commit."""
    waiting_max: int = 256
    """Calls that wait at once, of all tenants; one more is refused (429)."""
    waiting_per_tenant_max: int = 32
    decoded_at_once_max: int = 50
    """Turns decoded before other work of the process has its turn."""
    events_bytes_max: int = 4 * 1024 * 1024
    """Events of one page, as JSON; what does not fit comes with the next one. A first turn always fits."""


class TooManyWaiting(Exception):
    """As many calls wait as may: read without waiting, or come again later."""


class NotOurs(Exception):
    """A position that this database has not reached: it was restored, and its stream kept its id."""


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
        """Return the next turns; none when none came within `wait_s`.

        Raises `TooManyWaiting` before it waits, and `NotOurs`.
        """
        found = await self._turns.turns_of_tenant(tenant, after, limit)
        # A turn that was read lay below every transaction that ran, and that bound only rises.
        if not found and after != BEGINNING and after.xact >= await self._turns.first_unsettled():
            raise NotOurs
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
        frames: list[tuple[TenantPosition, Frame]] = []
        size = 0
        for number, one in enumerate(found, 1):
            frame = self._frame(one)
            size += len(frame.events)
            if frames and size > self._limits.events_bytes_max:
                break
            frames.append((one.position, frame))
            if number % self._limits.decoded_at_once_max == 0:
                await asyncio.sleep(0)
        return frames

    def _frame(self, one: TenantTurn) -> Frame:
        """Return the frame of a turn: one that cannot be read must not keep all others from the tenant."""
        entity_id = one.position.entity_id
        try:
            return stored_frame(self._kinds.of(entity_id), entity_id, one.turn)
        except Exception:
            _log.exception("cannot read a turn of the feed", extra=about(entity=entity_id, seq=one.turn.seq))
            return unreadable_frame(entity_id, one.turn)

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
