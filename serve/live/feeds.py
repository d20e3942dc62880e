"""The feeds of the shards: one long-poll loop a shard, which keeps every user of this process subscribed.

A pull that changes subscriptions does not wait and is never overtaken, so a late "unsubscribe" cannot undo a newer
"subscribe"; only the waiting pull, which changes nothing, is left behind when subscriptions change. What a lost reply
held is not lost: the cursor moves only with a reply that was read. Against what calls that arrive late could still undo
in the shard, the whole set is sent again now and then (Centrifugo checks positions every 40 s for the same reason).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from actors.cause import REQUEST_ID
from actors.messages import Frame, Pull, Pulled, about_turn
from actors.runtime import Runtime, Unavailable
from actors.tracing import begin
from serve.live.limits import Limits
from serve.live.measures import LiveMeasures
from serve.live.ports import Clock
from serve.live.protocol import encode_turn

_log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """A socket, as its user's subscription sees it. Neither call may wait or raise."""

    def on_turn(self, seq: int, text: str) -> None:
        """Take a committed turn, encoded."""

    def on_head(self, head: int) -> None:
        """Take note that turns up to `head` are committed."""


class Subscription:
    """One user of this process: the sockets that listen, and the last committed turn known."""

    __slots__ = ("_unconfirmed", "entity_id", "head", "subscribers")

    def __init__(self, entity_id: str, head: int) -> None:
        self.entity_id = entity_id
        self.head = head
        self.subscribers: tuple[Subscriber, ...] = ()
        self._unconfirmed: asyncio.Event | None = asyncio.Event()

    def deliver(self, frame: Frame) -> None:
        """Hand a committed turn to every socket; encoded once."""
        if frame.seq > self.head:
            self.head = frame.seq
        span = begin("push", frame.trace) if frame.trace else None
        text = encode_turn(frame)
        for subscriber in self.subscribers:
            subscriber.on_turn(frame.seq, text)
        if span is not None:
            span.end(sockets=len(self.subscribers), seq=frame.seq)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("pushed to %d sockets", len(self.subscribers), extra=about_turn(frame))

    def confirm(self, head: int) -> None:
        """The shard has taken the subscription, and `head` was committed then."""
        self.head = max(self.head, head)
        for subscriber in self.subscribers:
            subscriber.on_head(self.head)
        if self._unconfirmed is not None:
            self._unconfirmed.set()
            self._unconfirmed = None

    async def confirmed(self) -> None:
        """Wait until the shard has it: every turn after `head` will come, or `head` will be raised past it."""
        if self._unconfirmed is not None:
            await self._unconfirmed.wait()


class ShardFeed:
    """The long-poll loop of one shard."""

    def __init__(
        self,
        shard: int,
        gateway: str,
        runtime: Runtime,
        limits: Limits,
        clock: Clock,
        rehome: Callable[[Subscription], None],
        measures: LiveMeasures,
    ) -> None:
        self.shard = shard
        self._rehome, self._measures = rehome, measures
        self._gateway, self._runtime, self._limits, self._clock = gateway, runtime, limits, clock
        self._subscriptions: dict[str, Subscription] = {}
        self._unsent: dict[str, None] = {}
        self._dropped: set[str] = set()
        self._changed = asyncio.Event()
        self._incarnation, self._cursor = "", 0
        self._backoff_s = 0.0
        self._recheck_at = clock.monotonic() + limits.recheck_s
        self._left_behind: set[asyncio.Task[Pulled]] = set()

    def add(self, subscription: Subscription) -> None:
        """Subscribe with the next pull."""
        self._subscriptions[subscription.entity_id] = subscription
        self._unsent[subscription.entity_id] = None
        self._dropped.discard(subscription.entity_id)
        self._changed.set()

    def remove(self, entity_id: str) -> None:
        """Unsubscribe with the next pull."""
        self._subscriptions.pop(entity_id, None)
        self._unsent.pop(entity_id, None)
        self._dropped.add(entity_id)
        self._changed.set()

    async def run(self) -> None:
        """Pull for ever. A shard that does not answer is asked again; the sockets stay open meanwhile."""
        # The loop began in the task of whichever socket came first, and works for all.
        REQUEST_ID.set("")
        try:
            while True:
                await self._try()
        finally:
            for pull in self._left_behind:
                pull.cancel()

    async def _try(self) -> None:
        try:
            await self._round()
        except Unavailable:
            self._measures.pulls.inc("unavailable")
            await self._back_off(self._limits.backoff_min_s)
        except Exception:
            # A loop that dies would leave its users connected and silent.
            _log.exception("pull from shard %d failed", self.shard)
            self._measures.pulls.inc("failed")
            await self._back_off(self._limits.backoff_max_s)

    async def _round(self) -> None:
        if self._clock.monotonic() >= self._recheck_at:
            self._send_all_again()
        if len(self._dropped) > self._limits.departures_max:
            self._begin_anew()
        if not self._unsent and not self._dropped:
            await self._wait()
            return
        most = self._limits.subscriptions_per_pull_max
        request = self._request(list(self._unsent)[:most], sorted(self._dropped)[:most])
        reply = await self._runtime.pull(self.shard, request)
        if self._take(request, reply) and self._settle(request, reply):
            self._backoff_s = 0.0
            return
        self._let_go_of_moved()
        await self._back_off(0.0)

    async def _wait(self) -> None:
        self._changed.clear()
        change = asyncio.ensure_future(self._changed.wait())
        try:
            if not self._subscriptions:
                await change
                return
            request = self._request([], [])
            pull = asyncio.ensure_future(self._runtime.pull(self.shard, request))
            self._left_behind.add(pull)
            pull.add_done_callback(self._forget)
            await asyncio.wait({pull, change}, return_when=asyncio.FIRST_COMPLETED)
            if pull.done():
                self._take(request, pull.result())
                self._backoff_s = 0.0
        finally:
            change.cancel()

    def _request(self, subscribe: Iterable[str], unsubscribe: list[str]) -> Pull:
        wanted = {entity_id: self._subscriptions[entity_id].head for entity_id in subscribe}
        wait_s = 0.0 if wanted or unsubscribe else self._limits.pull_wait_s
        return Pull(self._gateway, self._incarnation, self._cursor, wanted, unsubscribe, wait_s)

    def _take(self, request: Pull, reply: Pulled) -> bool:
        """Deliver what came. False when the shard does not know this gateway's set, which is then sent again."""
        known = reply.known and request.incarnation in ("", reply.incarnation)
        self._incarnation, self._cursor = reply.incarnation, reply.cursor
        for frame in reply.frames:
            if subscription := self._subscriptions.get(frame.entity_id):
                subscription.deliver(frame)
        self._measures.pulls.inc("known" if known else "unknown")
        if reply.frames and self._measures.on:
            self._observe(reply.frames)
        if not known:
            self._send_all_again()
        return known

    def _observe(self, frames: Sequence[Frame]) -> None:
        self._measures.frames_pulled.inc(by=len(frames))
        lag_s = self._clock.now() - datetime.fromisoformat(frames[0].at).timestamp()
        self._measures.push_lag.observe(max(0.0, lag_s), times=len(frames))

    def _settle(self, request: Pull, reply: Pulled) -> bool:
        """Confirm what the shard took; False when it left out some."""
        self._dropped.difference_update(request.unsubscribe)
        for entity_id in request.subscribe:
            subscription = self._subscriptions.get(entity_id)
            if subscription is not None and entity_id in reply.heads:
                self._unsent.pop(entity_id, None)
                subscription.confirm(reply.heads[entity_id])
        return request.subscribe.keys() <= reply.heads.keys()

    def _send_all_again(self) -> None:
        self._unsent = dict.fromkeys(self._subscriptions)
        self._recheck_at = self._clock.monotonic() + self._limits.recheck_s

    def _begin_anew(self) -> None:
        self._incarnation, self._cursor = "", 0
        self._dropped.clear()
        self._send_all_again()

    def _let_go_of_moved(self) -> None:
        for entity_id, subscription in list(self._subscriptions.items()):
            if self._runtime.shard_of(entity_id) != self.shard:
                self.remove(entity_id)
                self._rehome(subscription)

    async def _back_off(self, at_least_s: float) -> None:
        """Wait twice as long as the last time; the first time after a success not at all unless told to."""
        delay_s = min(max(self._backoff_s, at_least_s), self._limits.backoff_max_s)
        self._backoff_s = max(self._backoff_s * 2, self._limits.backoff_min_s)
        await self._clock.sleep(delay_s)

    def _forget(self, pull: asyncio.Task[Pulled]) -> None:
        self._left_behind.discard(pull)
        if pull.cancelled() or (pull.exception() is None and pull.result().known):
            return
        # Arriving late, with the cursor of a dead incarnation, it has made the shard forget this gateway's set.
        self._send_all_again()
        self._changed.set()
