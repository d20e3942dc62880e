"""The outbox: messages that commit with the turn that sends them, and are delivered afterwards, at least once.

The table is the queue, so nothing is lost with a process, and a take-over needs no hand-over; what a turn has sent
only wakes who reads it. Messages of one entity and channel are delivered in order, the next when the last is through;
entities do not wait for each other, nor do the lines (`{channel}/{line}`) that a channel may have. A stale shard can
deliver what its successor delivers too, never what is not committed; it deletes nothing.
"""

import logging
import random
from asyncio import CancelledError, Event, Task, create_task, gather, sleep, timeout
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter

from actors.alarm import rest
from actors.cause import REQUEST_ID, TRACE, about
from actors.journal import Journal, JournalError, SentMessage
from actors.limits import Limits
from actors.measures import ShardMeasures
from actors.tracing import Span, begin
from actors.wire import decode_meta
from engine.behaviour import OutboxMessage, OutboxRow

_log = logging.getLogger(__name__)

_PAUSE_S = 0.2

Handler = Callable[[OutboxMessage], Awaitable[None]]
"""Delivers a message of one channel; raises to be asked again later. What it gets may come twice."""


class Pump:
    """Delivers the messages of one channel that a shard's entities sent."""

    def __init__(
        self,
        channel: str,
        handler: Handler,
        journal: Journal,
        now: Callable[[], datetime],
        shard: int,
        shards: int,
        limits: Limits,
        measures: ShardMeasures,
    ) -> None:
        self._channel = channel
        self._measures = measures
        self._handler = handler
        self._journal = journal
        self._now = now
        self._shard = shard
        self._shards = shards
        self._limits = limits
        self._wake = Event()
        self._lanes: dict[tuple[str, str], Task[None]] = {}
        """Entities, and lines of the channel, whose messages are being delivered."""
        self._more = False
        """Whether the last reading left something that waits for a lane to be through."""
        self._next: datetime | None = None
        """When the first of the parked messages wakes, as far as this process knows."""
        self.waiting = 0
        """Messages that were read and are not through."""
        self.delivered = 0
        self.failed = 0

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self, term: int) -> None:
        """Deliver for as long as the shard lives."""
        pause = _PAUSE_S
        try:
            while True:
                self._wake.clear()
                try:
                    await self._begin(term)
                    pause = _PAUSE_S
                except JournalError as error:
                    _log.warning("messages (%s) of shard %d cannot be read: %s", self._channel, self._shard, error)
                    await sleep(pause)
                    pause = min(2 * pause, self._limits.back_off_s_max)
                except Exception:
                    _log.exception("messages (%s) of shard %d cannot be read", self._channel, self._shard)
                    await sleep(self._limits.outbox_poll_s)
                else:
                    await rest(self._wake, self._limits.outbox_poll_s, self._next, self._now)
        finally:
            for lane in self._lanes.values():
                lane.cancel()

    async def _begin(self, term: int) -> None:
        """Start a lane for each entity with something to deliver, as far as there is room. Raises `JournalError`."""
        limits = self._limits
        self._more = len(self._lanes) >= limits.outbox_lanes_max
        if self._more:
            return
        now = self._now()
        if self._next is not None and self._next <= now:
            self._next = None
        waiting = await self._journal.waiting_messages(
            self._shard, self._shards, self._channel, now, limits.outbox_lanes_max, limits.outbox_lane_max
        )
        for messages in waiting:
            line = messages[0].entity_id, messages[0].channel
            if line not in self._lanes and len(self._lanes) < limits.outbox_lanes_max:
                self.waiting += len(messages)
                self._lanes[line] = create_task(self._lane(term, messages))
                self._more |= len(messages) == limits.outbox_lane_max
            else:
                self._more = True
        self._more |= len(waiting) == limits.outbox_lanes_max

    async def _lane(self, term: int, messages: Sequence[SentMessage]) -> None:
        """Deliver messages of one entity in order, up to the first that fails."""
        done: list[SentMessage] = []
        failed: SentMessage | None = None
        left = True
        try:
            for message in messages:
                if not await self._deliver(message):
                    failed = message
                    break
                done.append(message)
            if done:
                await self._journal.drop_messages(self._shard, term, done)
                self.delivered += len(done)
            if failed is not None:
                await self._park(term, failed)
            left = failed is not None
        except JournalError as error:
            _log.warning("messages (%s) of shard %d will be sent again: %s", self._channel, self._shard, error)
            await sleep(_PAUSE_S)
        except Exception:
            _log.exception("messages (%s) of shard %d will be sent again", self._channel, self._shard)
            await sleep(self._limits.outbox_poll_s)
        finally:
            del self._lanes[messages[0].entity_id, messages[0].channel]
            self.waiting -= len(messages)
            if left or self._more:
                self._wake.set()

    async def _deliver(self, message: SentMessage) -> bool:
        """Deliver one, on behalf of the request that caused its turn."""
        began = perf_counter()
        span: Span | None = None
        try:
            meta = decode_meta(message.meta)
            REQUEST_ID.set(meta.request_id)
            span = begin("deliver", meta.trace)
            TRACE.set(meta.trace if span is None else span.context)
            async with timeout(self._limits.outbox_delivery_s_max):
                await self._handler(message)
        except CancelledError:
            raise
        except Exception as error:
            _log.warning(
                "message %s (%s) is not delivered, try %d: %s: %s",
                message.outbox_id,
                message.channel,
                message.tries + 1,
                type(error).__name__,
                error,
                extra=about(entity=message.entity_id),
            )
            return False
        finally:
            self._measures.delivery_seconds.observe(perf_counter() - began, self._channel)
            if span is not None:
                span.end(channel=self._channel, tries=message.tries + 1)
        _log.debug(
            "message %s (%s) is delivered", message.outbox_id, message.channel, extra=about(entity=message.entity_id)
        )
        return True

    async def _park(self, term: int, message: OutboxMessage) -> None:
        """Put a message off by a jittered pause that doubles with each try."""
        self.failed += 1
        limits = self._limits
        longest = min(limits.outbox_park_s_min * 2.0 ** min(message.tries + 1, 32), limits.outbox_park_s_max)
        until = self._now() + timedelta(seconds=random.uniform(limits.outbox_park_s_min, longest))
        await self._journal.park_message(self._shard, term, message, until)
        if self._next is None or until < self._next:
            self._next = until


class Outbox:
    """The pumps of a shard, one a channel. Messages of a channel without a handler stay where they are."""

    def __init__(
        self,
        journal: Journal,
        handlers: Mapping[str, Handler],
        now: Callable[[], datetime],
        shard: int,
        shards: int,
        limits: Limits,
        measures: ShardMeasures,
    ) -> None:
        self._measures = measures
        self._pumps = {
            channel: Pump(channel, handler, journal, now, shard, shards, limits, measures)
            for channel, handler in handlers.items()
        }

    def expect(self, rows: Iterable[OutboxRow]) -> None:
        """Learn of messages that were just committed."""
        for row in rows:
            pump = self._pumps.get(row.channel.partition("/")[0])
            if pump is None:
                _log.warning("message %s waits: nothing delivers channel %s here", row.outbox_id, row.channel)
            else:
                pump.wake()

    def nudge(self) -> None:
        """Look now: the clock was moved."""
        for pump in self._pumps.values():
            pump.wake()

    def measure(self) -> None:
        """Say what was delivered so far, and what waits."""
        for channel, pump in self._pumps.items():
            self._measures.messages.reach(pump.delivered, channel, "delivered")
            self._measures.messages.reach(pump.failed, channel, "failed")
            self._measures.messages_waiting.set(pump.waiting, channel)

    async def run(self, term: int) -> None:
        """Deliver for as long as the shard lives."""
        await gather(*(pump.run(term) for pump in self._pumps.values()))

    @property
    def delivered(self) -> int:
        """How many messages were delivered."""
        return sum(pump.delivered for pump in self._pumps.values())

    @property
    def failed(self) -> int:
        """How often a delivery failed and was put off."""
        return sum(pump.failed for pump in self._pumps.values())
