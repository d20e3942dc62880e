"""How one socket comes by its turns: it enters, reads what it lacks, and goes back where its client asks.

Only one task at a time moves the position by reading; the feed moves it only while the delivery is live.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from msgspec import Raw

from actors.cause import about
from actors.messages import Frame, Outcome, about_turn
from actors.runtime import Unavailable
from serve.live.backlog import Kind
from serve.live.delivery import Delivery, HistoryGone
from serve.live.entrance import Entrance, LineFull
from serve.live.feeds import Subscriber
from serve.live.limits import Limits
from serve.live.ports import Ports, Principal
from serve.live.protocol import CloseCode, Position, Ready, Reset, ServerFrame, Snapshot, encode_turn
from serve.live.subscriptions import Subscriptions, TooManySockets

_log = logging.getLogger(__name__)
T = TypeVar("T")


class SnapshotRefused(Exception):
    """The overview was refused: without it the stream has no beginning. `code`: whether it is worth another try."""

    def __init__(self, outcome: Outcome) -> None:
        found = outcome.problem
        super().__init__(found.detail if found else outcome.status)
        self.code = CloseCode.INTERNAL if found is not None and found.code == "poison" else CloseCode.FORBIDDEN


class Socket(Subscriber, Protocol):
    """The socket, as its stream sees it."""

    def entered(self) -> None:
        """Take note that ready is said next."""

    def send(self, frame: ServerFrame, kind: Kind = Kind.EVENT) -> None:
        """Send a frame that is no turn."""

    def push(self, seq: int, text: str, source: str) -> None:
        """Send a turn."""

    async def room(self) -> None:
        """Wait until the reader has room."""

    def finish(self, code: CloseCode, reason: str) -> None:
        """Close once what is queued is out."""


class Stream:
    """The reading side of one socket's turns. `enter` comes first."""

    __slots__ = (
        "_delivery",
        "_entity_id",
        "_entrance",
        "_limits",
        "_measures",
        "_ports",
        "_principal",
        "_socket",
        "_subscriptions",
        "_task",
    )

    def __init__(
        self,
        socket: Socket,
        delivery: Delivery,
        ports: Ports,
        limits: Limits,
        subscriptions: Subscriptions,
        entrance: Entrance,
    ) -> None:
        self._socket, self._delivery = socket, delivery
        self._ports, self._limits, self._measures = ports, limits, ports.measures
        self._subscriptions, self._entrance = subscriptions, entrance
        self._principal: Principal | None = None
        self._entity_id = ""
        self._task: asyncio.Task[None] | None = None

    def enter(self, principal: Principal, resume: Position | None) -> None:
        """Subscribe, say ready, send what the client lacks."""
        self._principal = principal
        self._restart(partial(self._enter, principal, resume))

    def recover(self, principal: Principal, seq: int) -> None:
        """Go back, or forward, to what the client says it has."""
        self._delivery.hold(seq)
        self._restart(partial(self._recover, principal, seq))

    def catch_up(self) -> None:
        """Read what the feed did not bring."""
        if self._principal is not None:
            self._restart(partial(self._catch_up, self._principal))

    def halt(self) -> None:
        """Stop reading, unless it is the reading task that asks: that ends by itself."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def release(self) -> None:
        """Give back everything, at once; harmless when repeated."""
        if self._task is not None:
            self._task.cancel()
        entity_id, self._entity_id = self._entity_id, ""
        self._subscriptions.leave(entity_id, self._socket)

    async def _enter(self, principal: Principal, resume: Position | None) -> None:
        """Wait for a turn, subscribe first, then say ready, then read."""
        began = self._ports.clock.monotonic()
        self._subscriptions.claim(principal.entity_id)
        self._entity_id = principal.entity_id
        async with self._entrance.turn(self._ports.runtime.shard_of(principal.entity_id)):
            first = await self._begin(principal, resume)
            self._measures.enter_seconds.observe(self._ports.clock.monotonic() - began)
            self._measures.entered.inc("snapshot" if resume is None else "reset" if first is None else "resumed")
            if resume is None:
                await self._snapshot(principal)
            elif first is None:
                await self._reset(principal)
        if resume is not None and first is not None:
            self._delivery.begin(resume.seq)
            await self._replay(first)
        await self._catch_up(principal)

    async def _begin(self, principal: Principal, resume: Position | None) -> list[Frame] | None:
        """Subscribe, read the first page, say ready; returns the page, None when there is nothing to resume."""
        entity_id = principal.entity_id
        # Fresh from the journal, so that a client can have seen nothing beyond it, through whatever gateway.
        head = await self._retry(lambda: self._ports.runtime.head(entity_id))
        subscription = self._subscriptions.join(entity_id, head, self._socket)
        await subscription.confirmed()
        self._delivery.learn(max(head, subscription.head))
        first = await self._first_page(resume)
        self._socket.entered()
        self._socket.send(Ready(self._ports.epoch, self._delivery.head, resumed=first is not None))
        return first

    async def _recover(self, principal: Principal, seq: int) -> None:
        entity_id = principal.entity_id
        self._delivery.learn(await self._retry(lambda: self._ports.runtime.head(entity_id)))
        if 0 <= seq <= self._delivery.head:
            self._measures.recovered.inc("resumed")
            self._delivery.begin(seq)
        else:
            self._measures.recovered.inc("reset")
            await self._reset(principal)
        await self._catch_up(principal)

    async def _catch_up(self, principal: Principal) -> None:
        """Send what the journal has after the position, in pages, at the pace of the reader."""
        delivery, began_at = self._delivery, -1
        while not delivery.reached_head():
            announced = delivery.head
            try:
                await self._replay(await self._page(delivery.position))
            except HistoryGone as gone:
                if delivery.position == began_at:
                    delivery.do_without(announced)
                    continue
                _log.warning("history is gone: %s", gone, extra=about(entity=self._entity_id))
                await self._reset(principal)
                began_at = delivery.position

    async def _replay(self, page: list[Frame]) -> None:
        for frame in page:
            await self._socket.room()
            if self._delivery.advance(frame.seq):
                self._socket.push(frame.seq, encode_turn(frame), "history")
                if _log.isEnabledFor(logging.DEBUG):
                    _log.debug("pushed from history", extra=about_turn(frame))

    async def _page(self, after: int) -> list[Frame]:
        """Read the next turns; raises `HistoryGone` when the journal goes on having none, or begins later."""
        entity_id, limit = self._entity_id, self._limits.history_frames_max
        for tries in range(self._limits.history_tries_max):
            if tries:
                await self._ports.clock.sleep(self._limits.backoff_min_s)
            page = await self._retry(lambda: self._ports.runtime.history(entity_id, after, limit))
            if page and page[0].seq > after + 1:
                raise HistoryGone(f"expected turn {after + 1}, the journal begins at {page[0].seq}")
            if page:
                return page
        raise HistoryGone(f"expected turn {after + 1} below head {self._delivery.head}, the journal gave none")

    async def _first_page(self, resume: Position | None) -> list[Frame] | None:
        """Read the first page of a resume, so that ready tells the truth; None when it cannot be done."""
        head = self._delivery.head
        if resume is None or resume.epoch != self._ports.epoch or not 0 <= resume.seq <= head:
            return None
        try:
            return await self._page(resume.seq) if resume.seq < head else []
        except HistoryGone:
            return None

    async def _reset(self, principal: Principal) -> None:
        self._delivery.hold()
        self._socket.send(Reset(self._delivery.head))
        await self._snapshot(principal)

    async def _snapshot(self, principal: Principal) -> None:
        outcome = await self._retry(lambda: self._read_overview(principal))
        if outcome.body is None:
            raise SnapshotRefused(outcome)
        self._socket.send(Snapshot(outcome.seq, Raw(bytes(outcome.body))), Kind.SNAPSHOT)
        self._delivery.begin(outcome.seq)

    async def _read_overview(self, principal: Principal) -> Outcome:
        outcome = await self._ports.runtime.submit(self._ports.overview(principal))
        if outcome.status == "unavailable":
            raise Unavailable("the overview cannot be read now")
        return outcome

    def _restart(self, work: Callable[[], Awaitable[None]]) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._guard(work))

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except TooManySockets as refusal:
            self._measures.turned_away.inc("user_full")
            self._socket.finish(CloseCode.TOO_MANY, str(refusal))
        except LineFull as refusal:
            self._measures.turned_away.inc("line_full")
            self._socket.finish(CloseCode.TOO_MANY, str(refusal))
        except SnapshotRefused as refusal:
            self._socket.finish(refusal.code, f"no overview: {refusal}")
        except Exception:
            _log.exception("the stream failed", extra=about(entity=self._entity_id))
            self._socket.finish(CloseCode.INTERNAL, "the stream failed; resume")

    async def _retry(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the runtime answers; the socket stays open meanwhile."""
        delay_s = self._limits.backoff_min_s
        while True:
            try:
                return await ask()
            except Unavailable:
                await self._ports.clock.sleep(delay_s)
                delay_s = min(delay_s * 2, self._limits.backoff_max_s)
