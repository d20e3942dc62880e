"""One socket in operation: its session, its place in the stream, its queue, and the tasks that drive them.

The handler's own task reads. Another exists only while it has something to do: `_stream` (enter, recover or catch up:
one at a time moves the stream position by reading, and the feed moves it only while the delivery is live), the writer
of a backlog, and the farewell. Clean-up is synchronous: a server may cancel the handler when the client leaves, and an
`await` in a `finally` could be cancelled too.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from msgspec import Raw

from actors.cause import about
from actors.messages import Frame, Outcome, about_turn
from actors.runtime import Unavailable
from serve.live.acks import AckBeyondHead, Acks
from serve.live.anteroom import Seat
from serve.live.backlog import Kind
from serve.live.delivery import Delivery, HistoryGone, Verdict
from serve.live.entrance import Entrance, LineFull
from serve.live.expenses import Expenses
from serve.live.limits import Limits
from serve.live.names import translator
from serve.live.outbound import Disconnected, Outbound, Wire
from serve.live.ports import Ports, Principal, TicketsAway, TokenRefused
from serve.live.protocol import (
    CloseCode,
    Error,
    Heartbeat,
    Position,
    Ready,
    Reset,
    ServerFrame,
    Snapshot,
    encode,
    encode_turn,
    problem,
)
from serve.live.session import Acked, Beat, Close, Effect, Enter, Recover, Redeem, Renew, Send, Session, Spend
from serve.live.subscriptions import Subscriptions, TooManySockets

_log = logging.getLogger(__name__)
T = TypeVar("T")
MOVING = "the server is moving; reconnect"


class SnapshotRefused(Exception):
    """The overview was refused: without it the stream has no beginning."""


class Connection:
    """A socket from hello to close. It is the `Subscriber` of its user's subscription."""

    def __init__(
        self,
        wire: Wire,
        ports: Ports,
        limits: Limits,
        subscriptions: Subscriptions,
        expenses: Expenses,
        entrance: Entrance,
        seat: Seat,
    ) -> None:
        self._wire, self._ports, self._limits = wire, ports, limits
        self._subscriptions, self._expenses = subscriptions, expenses
        self._entrance, self._seat = entrance, seat
        self._measures = ports.measures
        self.session = Session(ports.verify, limits, ports.clock, ports.jitter)
        self.delivery = Delivery()
        self.acks = Acks(limits.acks_tracked_max)
        self.outbound = Outbound(wire, limits, ports.clock, self._outbound_is_out)
        self._spending = 0
        self._leaving = False
        self._leaves_at = ports.clock.monotonic() + limits.life_s * random.uniform(0.75, 1)
        self._closing: Close | None = None
        self._entity_id = ""
        self._in_their_names = translator("boond")
        self._handler: asyncio.Task[None] | None = None
        self._stream: asyncio.Task[None] | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._over = False

    @property
    def ended_by(self) -> str:
        """The close code sent or about to be; `client` while we have not ended it."""
        return "client" if self._closing is None else str(int(self._closing.code))

    async def run(self) -> None:
        """Serve the socket until either side ends it."""
        self._handler = handler = asyncio.current_task()
        assert handler is not None
        self._perform(self.session.greet())
        try:
            await self._read()
        except asyncio.CancelledError:
            # Our own, once the socket is closed, ends here; the server's goes on.
            if not self._over or handler.uncancel():
                raise
        finally:
            self.release()

    def release(self) -> None:
        """Give back everything, at once; harmless when repeated."""
        self._handler = None
        for task in (self._stream, self._farewell):
            if task is not None:
                task.cancel()
        self.outbound.release()
        self._seat.give_back()
        self._subscriptions.leave(self._entity_id, self)

    def is_due(self, at: float) -> bool:
        """Whether `tick` may have something to do at this time (monotonic)."""
        return at >= self.session.due or at >= self._leaves_at or self.outbound.waits

    def tick(self) -> None:
        """Do what time has made due."""
        if self.outbound.stalled():
            self._leave_behind("stall", f"one send took over {self._limits.stall_s:g} s; resume")
        elif self._ports.clock.monotonic() >= self._leaves_at:
            self.leave()
        else:
            self._perform(self.session.tick())

    def finish(self, code: CloseCode, reason: str) -> None:
        """Close once what is queued is out."""
        self._perform(self.session.close(code, reason))

    def leave(self) -> None:
        """Close with 4200 once the expenses under way are answered; no other is taken."""
        self._leaving = True
        if not self._spending:
            self.finish(CloseCode.MOVING, MOVING)

    def abort(self, code: CloseCode, reason: str) -> None:
        """Close now; what is queued is not sent."""
        self.finish(code, reason)
        self.outbound.abandon()

    def _leave_behind(self, why: str, reason: str) -> None:
        if self._closing is None:
            self._measures.laggards.inc(why)
        self.abort(CloseCode.TOO_SLOW, reason)

    def on_turn(self, seq: int, text: str) -> None:
        """Take a committed turn from the feed."""
        verdict = self.delivery.offer(seq)
        if verdict is Verdict.DELIVER:
            self._push(seq, text, "feed")
        elif verdict is Verdict.CATCH_UP:
            self._restart_catch_up()

    def on_head(self, head: int) -> None:
        """Take note of the committed head; read what was missed."""
        if self.delivery.learn(head) is Verdict.CATCH_UP:
            self._restart_catch_up()

    def _restart_catch_up(self) -> None:
        if self.session.principal is not None:
            self._restart(partial(self._catch_up, self.session.principal))

    async def _read(self) -> None:
        # Never stops for long while the socket is open: a server that is not read from sees no pongs either.
        try:
            while True:
                message = await self._wire.receive()
                self._measures.frames_received.inc()
                effects = self.session.receive(message)
                if effects and isinstance(effects[0], Redeem):
                    effects = await self._redeem(effects[0])
                self._perform(effects)
        except Disconnected as gone:
            if gone.code == CloseCode.BAD_FRAME and self._closing is None:
                # Refused where its bytes arrive, before a frame came this far.
                self._closing = Close(CloseCode.BAD_FRAME, "a frame beyond the limits")
                self._measures.frames_refused.inc()

    async def _redeem(self, check: Redeem) -> list[Effect]:
        try:
            principal = await self._ports.redeem(check.ticket)
        except TokenRefused as refusal:
            return self.session.refuse(CloseCode.UNAUTHENTICATED, str(refusal))
        except TicketsAway as away:
            return self.session.refuse(CloseCode.INTERNAL, f"{away}; come back with another ticket")
        return self.session.admit(principal, check.auth)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(frame=frame):
                    self._send(frame)
                case Close():
                    self._end(effect)
                case Enter(principal=principal, resume=resume, names=names):
                    self._seat.give_back()
                    self._in_their_names = translator(names)
                    self._restart(partial(self._enter, principal, resume))
                case Renew():
                    self._send(Ready(self._ports.epoch, self.delivery.due, resumed=True))
                case Recover(principal=principal, seq=seq):
                    self.delivery.hold(seq)
                    self._restart(partial(self._recover, principal, seq))
                case Spend(principal=principal, id=id_, body=body):
                    self._spend(principal, id_, body)
                case Acked(seq=seq):
                    self._note(seq)
                case Beat():
                    self._send(Heartbeat(self.delivery.due), Kind.HEARTBEAT)
                case Redeem():
                    raise RuntimeError("a ticket is checked by whoever reads")

    async def _enter(self, principal: Principal, resume: Position | None) -> None:
        """Wait for a turn, subscribe first, then say ready, then read."""
        began = self._ports.clock.monotonic()
        async with self._entrance.turn(self._ports.runtime.shard_of(principal.entity_id)):
            first = await self._begin(principal, resume)
            self._measures.enter_seconds.observe(self._ports.clock.monotonic() - began)
            self._measures.entered.inc("snapshot" if resume is None else "reset" if first is None else "resumed")
            if resume is None:
                await self._snapshot(principal)
            elif first is None:
                await self._reset(principal)
        if resume is not None and first is not None:
            self.delivery.begin(resume.seq)
            await self._replay(first)
        await self._catch_up(principal)

    async def _begin(self, principal: Principal, resume: Position | None) -> list[Frame] | None:
        """Subscribe, read the first page, say ready; returns the page, None when there is nothing to resume."""
        entity_id = principal.entity_id
        # Fresh from the journal, so that a client can have seen nothing beyond it, through whatever gateway.
        head = await self._retry(lambda: self._ports.runtime.head(entity_id))
        subscription = self._subscriptions.join(entity_id, head, self)
        self._entity_id = entity_id
        await subscription.confirmed()
        self.delivery.learn(max(head, subscription.head))
        first = await self._first_page(resume)
        self.session.entered()
        self._send(Ready(self._ports.epoch, self.delivery.head, resumed=first is not None))
        return first

    async def _recover(self, principal: Principal, seq: int) -> None:
        """Go back, or forward, to what the client says it has."""
        entity_id = principal.entity_id
        self.delivery.learn(await self._retry(lambda: self._ports.runtime.head(entity_id)))
        if 0 <= seq <= self.delivery.head:
            self._measures.recovered.inc("resumed")
            self.delivery.begin(seq)
        else:
            self._measures.recovered.inc("reset")
            await self._reset(principal)
        await self._catch_up(principal)

    async def _catch_up(self, principal: Principal) -> None:
        """Send what the journal has after the position, in pages, at the pace of the reader."""
        while not self.delivery.reached_head():
            try:
                await self._replay(await self._page(self.delivery.position))
            except HistoryGone as gone:
                _log.warning("history is gone: %s", gone, extra=about(entity=self._entity_id))
                await self._reset(principal)

    async def _replay(self, page: list[Frame]) -> None:
        for frame in page:
            await self.outbound.room()
            if self.delivery.advance(frame.seq):
                self._push(frame.seq, encode_turn(frame), "history")
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
        raise HistoryGone(f"expected turn {after + 1} below head {self.delivery.head}, the journal gave none")

    async def _first_page(self, resume: Position | None) -> list[Frame] | None:
        """Read the first page of a resume, so that ready tells the truth; None when it cannot be done."""
        head = self.delivery.head
        if resume is None or resume.epoch != self._ports.epoch or not 0 <= resume.seq <= head:
            return None
        try:
            return await self._page(resume.seq) if resume.seq < head else []
        except HistoryGone:
            return None

    async def _reset(self, principal: Principal) -> None:
        self.delivery.hold()
        self._send(Reset(self.delivery.head))
        await self._snapshot(principal)

    async def _snapshot(self, principal: Principal) -> None:
        outcome = await self._retry(lambda: self._read_overview(principal))
        if outcome.body is None:
            raise SnapshotRefused(outcome.problem.detail if outcome.problem else outcome.status)
        self._send(Snapshot(outcome.seq, Raw(bytes(outcome.body))), Kind.SNAPSHOT)
        self.delivery.begin(outcome.seq)

    async def _read_overview(self, principal: Principal) -> Outcome:
        outcome = await self._ports.runtime.submit(self._ports.overview(principal))
        if outcome.status == "unavailable":
            raise Unavailable("the overview cannot be read now")
        return outcome

    def _spend(self, principal: Principal, id_: str, body: bytes) -> None:
        if self._leaving:
            refusal = problem(503, "Service Unavailable", f"{MOVING}, and send it again", retry_after_s=1)
            self._send(Error(id_, refusal))
            return
        if self._spending >= self._limits.expenses_in_flight_max:
            most = self._limits.expenses_in_flight_max
            refusal = problem(429, "Too Many Requests", f"at most {most} expenses in flight", retry_after_s=1)
            self._measures.expenses.inc("too_many")
            self._send(Error(id_, refusal))
            return
        self._spending += 1
        self._expenses.start(principal, id_, body, self._answer)

    def _answer(self, frame: ServerFrame) -> None:
        self._spending -= 1
        self._send(frame)
        if self._leaving:
            self.leave()

    def _note(self, seq: int) -> None:
        try:
            took_s = self.acks.ack(seq, self.delivery.head, self._ports.clock.monotonic())
        except AckBeyondHead as beyond:
            self.finish(CloseCode.BAD_FRAME, str(beyond))
            return
        self._measures.unacknowledged.observe(self.acks.unacknowledged(self.delivery.position))
        if took_s is not None:
            self._measures.ack_seconds.observe(took_s)

    def _push(self, seq: int, text: str, source: str) -> None:
        if self._measures.on:
            self._measures.pushed[source] += 1
        if self.acks.acked is not None:
            self.acks.sent(seq, self._ports.clock.monotonic())
        self._put(self._in_their_names(text), Kind.TURN)

    def _send(self, frame: ServerFrame, kind: Kind = Kind.EVENT) -> None:
        self._put(encode(frame), kind)

    def _put(self, text: str, kind: Kind) -> None:
        if self._closing is not None:
            return
        if self.outbound.offer(text, kind):
            measures = self._measures
            if measures.on:
                measures.bytes_out += len(text) if text.isascii() else len(text.encode())
                if self.outbound.waits:
                    measures.queue_frames.rise(len(self.outbound))
        else:
            self._leave_behind("overflow", "the socket does not keep up; resume")

    def _end(self, close: Close) -> None:
        self._closing = close
        if close.code is CloseCode.BAD_FRAME:
            self._measures.frames_refused.inc()
        self.outbound.end()
        if self._stream is not asyncio.current_task():
            self._halt()

    def _halt(self) -> None:
        if self._stream is not None:
            self._stream.cancel()

    def _restart(self, work: Callable[[], Awaitable[None]]) -> None:
        self._halt()
        self._stream = asyncio.create_task(self._guard(work))

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except TooManySockets as refusal:
            self._measures.turned_away.inc("user_full")
            self.finish(CloseCode.TOO_MANY, str(refusal))
        except LineFull as refusal:
            self._measures.turned_away.inc("line_full")
            self.finish(CloseCode.TOO_MANY, str(refusal))
        except SnapshotRefused as refusal:
            self.finish(CloseCode.FORBIDDEN, f"no overview: {refusal}")
        except Exception:
            _log.exception("the stream failed", extra=about(entity=self._entity_id))
            self.finish(CloseCode.INTERNAL, "the stream failed; resume")

    async def _retry(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the runtime answers; the socket stays open meanwhile."""
        delay_s = self._limits.backoff_min_s
        while True:
            try:
                return await ask()
            except Unavailable:
                await self._ports.clock.sleep(delay_s)
                delay_s = min(delay_s * 2, self._limits.backoff_max_s)

    def _outbound_is_out(self) -> None:
        if self._closing is None:
            self._stop()
        elif self._farewell is None:
            self._farewell = asyncio.create_task(self._say_goodbye(self._closing))

    async def _say_goodbye(self, closing: Close) -> None:
        # A peer that does not read cannot take a close frame either.
        with contextlib.suppress(TimeoutError, Disconnected):
            await asyncio.wait_for(self._wire.close(closing.code, closing.reason), self._limits.close_s)
        self._stop()

    def _stop(self) -> None:
        self._over = True
        if self._handler is not None:
            self._handler.cancel()
