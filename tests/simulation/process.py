"""A process that hosts one incarnation of a shard, and can be killed, stopped and continued from outside."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from actors.client import Sender
from actors.journal import Fenced, JournalDown, JournalError
from actors.lane import LaneLimits
from actors.letters import Letters, OwnShard
from actors.limits import Limits
from actors.shard import EntityShard
from actors.transport import TransportLost
from actors.wire import decode_envelopes, decode_pull, encode_outcomes, encode_pulled
from engine.letters import CHANNEL as LETTERS
from tests.simulation.database import ConnectedJournal
from tests.support.counter import Counter

if TYPE_CHECKING:
    from tests.simulation.world import World

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(
    snapshot_every=7, idle_s=4.0, sweep_every_s=1.0, entities_max=5, timers_poll_s=1.0, outbox_poll_s=1.0,
    ring_frames_max=40, back_fill_turns_max=5, gateway_forgotten_s=10.0, outbox_park_s_max=5.0, iteration_max=16,
    batch_max=24,
)  # fmt: skip
"""Small, so that what is rare happens often: passivation, snapshots, rings that forget."""
LETTER_LANES = LaneLimits(call_s_max=4.0, deadline_s=8.0)


class Process:
    """One incarnation. What it was doing when it is killed goes no further; what is in Postgres by then goes on."""

    def __init__(self, world: "World", shard: int, number: int, *, fences: bool) -> None:
        self.shard, self.number = shard, number
        self.name = f"shard-{shard}/{number}"
        self._world = world
        self.awake = asyncio.Event()
        self.awake.set()
        self.dead = asyncio.Event()
        self.started = asyncio.Event()
        self.starting: asyncio.Task[None] | None = None
        self.skew_s = 0.0
        """How far its clock is off."""
        self._ids = 0
        own = OwnShard(shard, world.transport())
        sender = Sender(own, world.shards, LETTER_LANES)
        self._entities = EntityShard(
            Counter(),
            ConnectedJournal(world, self, fences=fences),
            shard=shard,
            shards=world.shards,
            owner=self.name,
            now=self._now,
            new_id=self._new_id,
            on_fenced=lambda: world.kill(self),
            limits=LIMITS,
            handlers={LETTERS: Letters(sender), "log": _heard},
        )
        own.submits_to(self._entities)

    def _now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._world.loop.time() + self.skew_s)

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self.name}-{self._ids}"

    async def run(self) -> None:
        """Start as `ray_host` does: wait for the journal as long as it takes."""
        while True:
            try:
                await self._entities.start()
            except JournalDown:
                await asyncio.sleep(0.5)
            except Fenced:
                self._world.kill(self)
                return
            else:
                self.started.set()
                return

    async def end(self) -> None:
        """Stop what runs; nothing of it has any effect any more."""
        if self.starting is not None and self.starting is not asyncio.current_task():
            self.starting.cancel()
            await asyncio.gather(self.starting, return_exceptions=True)
        await self._entities.stop()

    async def submit(self, blob: bytes) -> bytes:
        """Carry out what arrived, as the Ray actor's method does."""
        await self._listening()
        outcomes = encode_outcomes(await self._entities.submit(decode_envelopes(blob)))
        await self.awake.wait()
        return outcomes

    async def pull(self, blob: bytes) -> bytes:
        """Answer a pull that arrived."""
        await self._listening()
        try:
            pulled = encode_pulled(await self._entities.pull(decode_pull(blob)))
        except JournalError as error:
            raise TransportLost("the journal cannot be read now") from error
        await self.awake.wait()
        return pulled

    async def _listening(self) -> None:
        await self.awake.wait()
        await self.started.wait()


async def _heard(_message: object) -> None:
    """The channel of notes: hearing them is all."""
