"""The feed of a shard: committed turns of subscribed entities, for gateways that long-poll.

One ring for an incarnation of the shard; a cursor is a position in it. A subscription takes effect before its head is
read, so a turn is either at or below the head (back-filled, or left to history) or will be in the ring.
"""

import logging
from asyncio import Future, get_running_loop, sleep
from asyncio import timeout as time_limit
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from math import inf

from msgspec import Struct, field

from actors import codec
from actors.cause import about
from actors.journal import Journal, StoredTurn
from actors.kinds import Kinds
from actors.limits import Limits
from actors.measures import ShardMeasures
from actors.messages import Frame, Meta, Pull, Pulled
from actors.tracing import Span, begin
from actors.wire import decode_meta
from engine.behaviour import Behaviour, Turn

_log = logging.getLogger(__name__)

_FRAME_OVERHEAD = 80

UNREADABLE = b""
"""In place of the events of a turn of another release, or a damaged one: no JSON at all."""


class Gateway(Struct):
    """A gateway that pulls: whom it wants to hear of, each from beyond a floor."""

    seen_at: datetime
    floors: dict[str, int] = field(default_factory=dict)
    """Highest seq the subscription itself answered for; frames up to it are not sent again."""
    waiting: Future[None] | None = None
    pulls: int = 0
    answered_at: float = -inf
    """When the last waiting pull was answered, on the loop's clock."""

    def release(self) -> None:
        """Make the pull that waits return."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


class Feed:
    """Ring, gateways and subscriptions of one incarnation of a shard."""

    def __init__(
        self,
        incarnation: str,
        journal: Journal,
        committed: Callable[[str], int | None],
        kinds: Kinds,
        now: Callable[[], datetime],
        limits: Limits,
        measures: ShardMeasures,
    ) -> None:
        """`committed` is the head of an entity in memory, or None."""
        self.incarnation = incarnation
        self._journal = journal
        self._committed = committed
        self._kinds = kinds
        self._now = now
        self._limits = limits
        self._measures = measures
        self._ring: deque[Frame] = deque()
        self._ring_bytes = 0
        self._spans: dict[int, Span] = {}
        """Of the frames in the ring that are recorded and that no gateway has taken, by position."""
        self._first = 1
        """Position of the oldest frame in the ring; the next frame's is `_first + len(_ring)`."""
        self._gateways: dict[str, Gateway] = {}
        self._listeners: dict[str, set[str]] = {}

    def listens(self, entity_id: str) -> bool:
        """Say whether any gateway subscribes to an entity."""
        return entity_id in self._listeners

    def measure(self) -> None:
        """Say how much is kept now."""
        self._measures.gateways.set(len(self._gateways))
        self._measures.listened.set(len(self._listeners))
        self._measures.ring_frames.set(len(self._ring))
        self._measures.ring_bytes.set(self._ring_bytes)
        self._measures.published.reach(self._end - 1)

    @property
    def _end(self) -> int:
        return self._first + len(self._ring)

    def publish(self, frames: Iterable[Frame]) -> None:
        """Append committed turns, in order, and wake who waits for them."""
        touched: set[str] = set()
        for frame in frames:
            self._ring.append(frame)
            self._ring_bytes += _size(frame)
            if frame.trace and (span := begin("feed", frame.trace)):
                self._spans[self._end - 1] = span
            touched |= self._listeners.get(frame.entity_id, set())
        while len(self._ring) > self._limits.ring_frames_max or self._ring_bytes > self._limits.ring_bytes_max:
            self._ring_bytes -= _size(self._ring.popleft())
            self._taken(self._first)
            self._first += 1
        for name in touched:
            self._gateways[name].release()

    def _taken(self, position: int) -> None:
        """A frame has left for the first gateway that wanted it, or nobody came for it in time."""
        if self._spans and (span := self._spans.pop(position, None)):
            span.end()

    async def pull(self, request: Pull) -> Pulled:
        """See `Pull` and `Pulled`. Raises `JournalError` when heads cannot be read: pull again with the same set."""
        gateway = self._gateways.get(request.gateway)
        if gateway is not None:
            gateway.release()
        fresh = request.incarnation == ""
        known = request.incarnation == self.incarnation and self._first <= request.cursor <= self._end
        self._measures.pulls.inc("known" if known and gateway is not None else "unknown")
        if fresh or gateway is None or not known:
            gateway = self._admit(request.gateway)
            if not fresh:
                return Pulled(self.incarnation, self._end, False)
        gateway.seen_at = self._now()
        gateway.pulls += 1
        cursor = self._end if fresh else request.cursor
        for entity_id in request.unsubscribe:
            self._unsubscribe(request.gateway, gateway, entity_id)
        heads, back_fill = await self._subscribe(request.gateway, gateway, request.subscribe)
        if heads or fresh:
            after, frames = self._collect(gateway, cursor)
            return Pulled(self.incarnation, after, True, back_fill + frames, heads)
        return await self._wait(gateway, cursor, request.wait_s)

    async def _wait(self, gateway: Gateway, cursor: int, wait_s: float) -> Pulled:
        """Return when there are frames, the gateway pulls again, or `wait_s` are over; with frames, at a pace."""
        mine, start = gateway.pulls, cursor
        after, frames = self._collect(gateway, cursor)
        if wait_s > 0 and (not frames or after == self._end):
            if not frames:
                await self._released(gateway, wait_s)
                start = max(after, self._first)
            await self._pace(gateway)
            if gateway.pulls == mine and start >= self._first:
                after, frames = self._collect(gateway, start)
        gateway.seen_at = self._now()
        gateway.answered_at = get_running_loop().time()
        return Pulled(self.incarnation, after, True, frames)

    @staticmethod
    async def _released(gateway: Gateway, wait_s: float) -> None:
        gateway.waiting = waiting = get_running_loop().create_future()
        try:
            async with time_limit(wait_s):
                await waiting
        except TimeoutError:
            pass

    async def _pace(self, gateway: Gateway) -> None:
        """Let a moment pass since the last answer, so that what comes meanwhile goes with this one.

        An answer costs both processes the same, whatever it holds. Who has heard nothing lately waits for nothing.
        """
        pause = gateway.answered_at + self._limits.pull_pace_s - get_running_loop().time()
        if pause > 0:
            await sleep(pause)

    def _collect(self, gateway: Gateway, cursor: int) -> tuple[int, list[Frame]]:
        """Return the frames from `cursor` on that the gateway wants, up to a size, and the cursor after them."""
        frames: list[Frame] = []
        size = 0
        if cursor < self._first:
            return cursor, frames
        position = cursor
        for position in range(cursor, self._end):
            frame = self._ring[position - self._first]
            floor = gateway.floors.get(frame.entity_id)
            if floor is None or frame.seq <= floor:
                continue
            if frames and size + _size(frame) > self._limits.pull_bytes_max:
                return position, frames
            frames.append(frame)
            size += _size(frame)
            self._taken(position)
        return self._end, frames

    async def _subscribe(
        self, name: str, gateway: Gateway, wanted: dict[str, int]
    ) -> tuple[dict[str, int], list[Frame]]:
        """Listen to entities from now on; return their committed heads and what lies between."""
        if not wanted:
            return {}, []
        for entity_id in wanted:
            self._listeners.setdefault(entity_id, set()).add(name)
        heads = {entity_id: self._committed(entity_id) for entity_id in wanted}
        asleep = [entity_id for entity_id, head in heads.items() if head is None]
        read = await self._journal.heads(asleep) if asleep else {}
        known = {entity_id: read.get(entity_id, 0) if head is None else head for entity_id, head in heads.items()}
        gateway.floors.update(known)
        return known, await self._back_fill(wanted, known)

    async def _back_fill(self, wanted: dict[str, int], heads: dict[str, int]) -> list[Frame]:
        most = self._limits.back_fill_turns_max
        behind = [(i, after) for i, after in wanted.items() if after >= 0 and 0 < heads[i] - after <= most]
        behind = behind[: self._limits.back_fill_users_max]
        if not behind:
            return []
        found = await self._journal.histories(behind, most)
        return [
            stored_frame(self._kinds.of(entity_id), entity_id, turn)
            for entity_id, turns in found.items()
            for turn in turns
            if turn.seq <= heads[entity_id]
        ]

    def _unsubscribe(self, name: str, gateway: Gateway, entity_id: str) -> None:
        gateway.floors.pop(entity_id, None)
        listeners = self._listeners.get(entity_id)
        if listeners is not None:
            listeners.discard(name)
            if not listeners:
                del self._listeners[entity_id]

    def _admit(self, name: str) -> Gateway:
        """Begin with a gateway anew, without subscriptions."""
        self._forget(name)
        gateway = self._gateways[name] = Gateway(self._now())
        return gateway

    def _forget(self, name: str) -> None:
        gateway = self._gateways.pop(name, None)
        if gateway is not None:
            gateway.release()
        for entity_id in [i for i, listeners in self._listeners.items() if name in listeners]:
            self._unsubscribe(name, gateway or Gateway(self._now()), entity_id)

    def sweep(self) -> None:
        """Forget gateways that have not pulled for long."""
        limit = self._now() - timedelta(seconds=self._limits.gateway_forgotten_s)
        gone = [
            name
            for name, gateway in self._gateways.items()
            if gateway.seen_at < limit and (gateway.waiting is None or gateway.waiting.done())
        ]
        for name in gone:
            self._forget(name)

    def close(self) -> None:
        """Make every pull return."""
        for gateway in self._gateways.values():
            gateway.release()


def _size(frame: Frame) -> int:
    return len(memoryview(frame.events)) + len(frame.request_id) + len(frame.trace) + _FRAME_OVERHEAD


def rfc3339(at: datetime) -> str:
    """Return a UTC time as the wire writes it."""
    return at.isoformat().replace("+00:00", "Z")


def turn_frame(behaviour: Behaviour, turn: Turn, meta: Meta) -> Frame:
    """Return the frame of a turn. What the behaviour cannot tell becomes a frame without events: `seq` has no gaps."""
    try:
        events = behaviour.push(turn)
    except Exception:
        _log.exception(
            "cannot tell a turn", extra=about(entity=turn.entity_id, seq=turn.seq, request_id=meta.request_id)
        )
        events = b"[]"
    return Frame(turn.entity_id, turn.seq, rfc3339(turn.at), events, meta.request_id, meta.trace)


def unreadable_frame(entity_id: str, stored: StoredTurn) -> Frame:
    """Return the frame of a turn that `stored_frame` cannot read, its `events` being `UNREADABLE`."""
    return Frame(entity_id, stored.seq, rfc3339(stored.at), UNREADABLE)


def stored_frame(behaviour: Behaviour, entity_id: str, stored: StoredTurn) -> Frame:
    """Return the frame of a turn as the journal keeps it. Raises what the behaviour raises on what it cannot read."""
    events, result = behaviour.decode_turn(codec.unpack(stored.body))
    return turn_frame(behaviour, Turn(entity_id, stored.seq, stored.at, events, result), decode_meta(stored.meta))
