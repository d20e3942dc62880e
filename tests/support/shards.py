"""Shards for tests: with a clock that stands still until told, and ids that count."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from actors.clock import InstanceClock
from actors.journal import Journal
from actors.kinds import Kinds
from actors.limits import Limits
from actors.outbox import Handler
from actors.shard import EntityShard
from engine.behaviour import Behaviour
from tests.support.counter import Counter


class FakeClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.at += timedelta(seconds=seconds)


_incarnations = count(1)


@asynccontextmanager
async def running_shard(
    journal: Journal,
    *,
    behaviour: Kinds | Behaviour | None = None,
    clock: FakeClock | InstanceClock | None = None,
    limits: Limits | None = None,
    fenced: list[str] | None = None,
    handlers: Mapping[str, Handler] | None = None,
    place: tuple[int, int] = (0, 1),
) -> AsyncIterator[EntityShard]:
    """Give a shard that has claimed its term; ended as if killed. `place` is its number, and of how many."""
    ids = count(1)
    log = fenced if fenced is not None else []
    shard = EntityShard(
        behaviour or Counter(),
        journal,
        shard=place[0],
        shards=place[1],
        owner=f"incarnation-{next(_incarnations)}",
        now=clock or FakeClock(),
        new_id=lambda: f"id-{next(ids)}",
        on_fenced=lambda: log.append("fenced"),
        limits=limits,
        handlers=handlers,
        clock=clock if isinstance(clock, InstanceClock) else None,
    )
    await shard.start()
    try:
        yield shard
    finally:
        await shard.stop()
