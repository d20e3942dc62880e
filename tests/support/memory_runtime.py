"""A `Runtime` in memory: a journal a user, and a feed a shard with incarnations, restarts and a short ring.

It does the least the contract allows: no back-fill on subscription, an old pull answered empty when a newer comes, and
a ring that forgets, so that what a gateway does right it does by itself.
"""

import asyncio
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from actors.messages import Envelope, Frame, Outcome, Problem, Pull, Pulled
from actors.runtime import Unavailable
from tests.support.manual_clock import ManualClock


@dataclass
class Shard:
    """One incarnation of a shard, as its feed sees it."""

    incarnation: str
    base: int = 0
    ring: list[Frame] = field(default_factory=list)
    subscribed: dict[str, set[str]] = field(default_factory=dict)
    waiting: dict[str, asyncio.Future[bool]] = field(default_factory=dict)
    down: bool = False

    @property
    def cursor(self) -> int:
        return self.base + len(self.ring)

    def wake(self, *, died: bool = False) -> None:
        for waiter in self.waiting.values():
            if not waiter.done():
                waiter.set_result(died)
        self.waiting.clear()


class MemoryRuntime:
    """Everything a gateway needs of the actors; `commit` and `restart` are the test's handles."""

    def __init__(self, clock: ManualClock, shards: int = 2, ring_frames_max: int = 8) -> None:
        self.journal: dict[str, list[Frame]] = {}
        self.pulls: list[Pull] = []
        self.history_calls: list[tuple[str, int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        """Cleared, history waits: time for other things to happen in between."""
        self.head_gate = asyncio.Event()
        self.head_gate.set()
        self.delayed: asyncio.Event | None = None
        """Set, the next waiting pull reaches its shard only after this event, whatever comes in between."""
        self.deaf = False
        """Pulls fail although the shard is up."""
        self.refuse: Callable[[Envelope], Problem | None] = lambda _: None
        self.disturb: Callable[[list[Frame]], list[Frame]] = lambda frames: frames
        """What a pull answers instead of its frames: another order, some twice, some not at all."""
        self._clock, self._ring_frames_max = clock, ring_frames_max
        self._shards = [Shard(f"{n}.0") for n in range(shards)]
        self._births = 0

    @property
    def shards(self) -> int:
        return len(self._shards)

    def shard_of(self, entity_id: str) -> int:
        return zlib.crc32(entity_id.encode()) % len(self._shards)

    def commit(
        self, entity_id: str, *, fed: bool = True, event: str = "transaction_recorded", request_id: str = ""
    ) -> Frame:
        """Commit one turn; not `fed`: the shard dies before its feed has it (a restart must follow)."""
        turns = self.journal.setdefault(entity_id, [])
        seq = len(turns) + 1
        events = [{"type": event, "data": {"n": seq}}]
        frame = Frame(entity_id, seq, "2026-11-20T10:00:00+05:30", json.dumps(events).encode(), request_id)
        turns.append(frame)
        shard = self._shards[self.shard_of(entity_id)]
        if fed and any(entity_id in users for users in shard.subscribed.values()):
            shard.ring.append(frame)
            while len(shard.ring) > self._ring_frames_max:
                shard.ring.pop(0)
                shard.base += 1
            shard.wake()
        return frame

    def restart(self, number: int, *, down: bool = False) -> None:
        """Replace a shard by a new incarnation that knows no gateway."""
        self._births += 1
        dead = self._shards[number]
        self._shards[number] = Shard(f"{number}.{self._births}", down=down)
        dead.wake(died=True)

    def forget_gateways(self) -> None:
        """Lose every subscription without a word, as no shard should."""
        for shard in self._shards:
            shard.subscribed.clear()

    def revive(self, number: int) -> None:
        self._shards[number].down = False

    def subscribers(self, entity_id: str) -> int:
        """How many gateways the entity's shard feeds."""
        return sum(entity_id in users for users in self._shards[self.shard_of(entity_id)].subscribed.values())

    async def submit(self, envelope: Envelope) -> Outcome:
        await asyncio.sleep(0)
        self._up(envelope.entity_id)
        if problem := self.refuse(envelope):
            return Outcome("refused", problem=problem)
        if envelope.command_id is not None:
            frame = self.commit(envelope.entity_id, request_id=envelope.meta.request_id)
            return Outcome(
                "done", frame.seq, json.dumps({"seq": frame.seq, "external_id": envelope.command_id}).encode()
            )
        if not self.journal.get(envelope.entity_id):
            self.commit(envelope.entity_id)
        seq = len(self.journal[envelope.entity_id])
        return Outcome("read", seq, json.dumps({"seq": seq, "jars": []}).encode())

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        return [await self.submit(envelope) for envelope in envelopes]

    async def history(self, entity_id: str, after: int, limit: int) -> list[Frame]:
        self.history_calls.append((entity_id, after, limit))
        await self.gate.wait()
        await asyncio.sleep(0)
        return [f for f in self.journal.get(entity_id, []) if f.seq > after][:limit]

    async def head(self, entity_id: str) -> int:
        await self.head_gate.wait()
        await asyncio.sleep(0)
        self._up(entity_id)
        turns = self.journal.get(entity_id)
        return turns[-1].seq if turns else 0

    async def pull(self, shard: int, request: Pull) -> Pulled:
        self.pulls.append(request)
        if request.wait_s and self.delayed is not None:
            delay, self.delayed = self.delayed, None
            await delay.wait()
        await asyncio.sleep(0)
        host = self._shards[shard]
        assert not request.subscribe.keys() & set(request.unsubscribe), "one pull must not say both of one user"
        if host.down or self.deaf:
            raise Unavailable("the shard is starting")
        if older := host.waiting.pop(request.gateway, None):
            older.set_result(False)
        if request.incarnation not in ("", host.incarnation) or not host.base <= request.cursor <= host.cursor:
            if request.incarnation:
                host.subscribed.pop(request.gateway, None)
                return Pulled(host.incarnation, host.cursor, known=False)
            request = Pull(request.gateway, host.incarnation, host.cursor, request.subscribe, request.unsubscribe, 0.0)
        heads = self._subscribe(host, request)
        if not host.ring[request.cursor - host.base :] and not heads and request.wait_s:
            await self._wait(host, request)
        users = host.subscribed.get(request.gateway, set())
        fresh = [f for f in host.ring[max(0, request.cursor - host.base) :] if f.entity_id in users]
        return Pulled(host.incarnation, host.cursor, request.cursor >= host.base, self.disturb(fresh), heads)

    def _subscribe(self, host: Shard, request: Pull) -> dict[str, int]:
        users = host.subscribed.setdefault(request.gateway, set())
        users.difference_update(request.unsubscribe)
        users.update(request.subscribe)
        return {entity_id: len(self.journal.get(entity_id, [])) for entity_id in request.subscribe}

    async def _wait(self, host: Shard, request: Pull) -> None:
        waiter = host.waiting[request.gateway] = asyncio.get_running_loop().create_future()
        timer = asyncio.ensure_future(self._clock.sleep(request.wait_s))
        try:
            await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        if waiter.done() and waiter.result():
            raise Unavailable("the shard died")

    def _up(self, entity_id: str) -> None:
        if self._shards[self.shard_of(entity_id)].down:
            raise Unavailable("the shard is starting")
