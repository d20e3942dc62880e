"""One socket in operation: its session, its place in the stream, its queue, and the tasks that drive them.

The handler's own task receives. Another exists only while it has something to do: that of the stream, the writer of a
backlog, and the farewell. Clean-up is synchronous: a server may cancel the handler when the client leaves, and an
`await` in a `finally` could be cancelled too.
"""

import asyncio
import contextlib
import random

from serve.live.acks import AckBeyondHead, Acks
from serve.live.anteroom import Seat
from serve.live.backlog import Kind
from serve.live.delivery import Delivery, Verdict
from serve.live.entrance import Entrance
from serve.live.expenses import Expenses
from serve.live.limits import Limits
from serve.live.names import translator
from serve.live.outbound import Disconnected, Outbound, Wire
from serve.live.ports import Ports, Principal, TicketsAway, TokenRefused
from serve.live.protocol import (
    CloseCode,
    Error,
    Heartbeat,
    Ready,
    ServerFrame,
    encode,
    problem,
)
from serve.live.session import Acked, Beat, Close, Effect, Enter, Recover, Redeem, Renew, Send, Session, Spend
from serve.live.stream import Stream
from serve.live.subscriptions import Subscriptions

MOVING = "the server is moving; reconnect"


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
        self._expenses, self._seat = expenses, seat
        self._measures = ports.measures
        self.session = Session(ports.verify, limits, ports.clock, ports.jitter)
        self.delivery = Delivery()
        self._stream = Stream(self, self.delivery, ports, limits, subscriptions, entrance)
        self.acks = Acks(limits.acks_tracked_max)
        self.outbound = Outbound(wire, limits, ports.clock, self._outbound_is_out)
        self._spending = 0
        self._leaving = False
        self._leaves_at = ports.clock.monotonic() + limits.life_s * random.uniform(0.75, 1)
        self._closing: Close | None = None
        self._in_their_names = translator("boond")
        self._handler: asyncio.Task[None] | None = None
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
        self._handler, self._over = None, True
        if self._farewell is not None:
            self._farewell.cancel()
        self.outbound.release()
        self._seat.give_back()
        self._stream.release()

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
            self.push(seq, text, "feed")
        elif verdict is Verdict.CATCH_UP:
            self._stream.catch_up()

    def on_head(self, head: int) -> None:
        """Take note of the committed head; read what was missed."""
        if self.delivery.learn(head) is Verdict.CATCH_UP:
            self._stream.catch_up()

    def entered(self) -> None:
        """Take note that ready is said next: heartbeats begin."""
        self.session.entered()

    def send(self, frame: ServerFrame, kind: Kind = Kind.EVENT) -> None:
        """Send a frame that is no turn; after a close, nothing."""
        self._put(encode(frame), kind)

    def push(self, seq: int, text: str, source: str) -> None:
        """Send an encoded turn, under the names the client asked for; after a close, nothing."""
        if self._measures.on:
            self._measures.pushed[source] += 1
        if self.acks.acked is not None:
            self.acks.sent(seq, self._ports.clock.monotonic())
        self._put(self._in_their_names(text), Kind.TURN)

    async def room(self) -> None:
        """Wait until the reader has room."""
        await self.outbound.room()

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
                    self.send(frame)
                case Close():
                    self._end(effect)
                case Enter(principal=principal, resume=resume, names=names):
                    self._seat.give_back()
                    self._in_their_names = translator(names)
                    self._stream.enter(principal, resume)
                case Renew():
                    self.send(Ready(self._ports.epoch, self.delivery.due, resumed=True))
                case Recover(principal=principal, seq=seq):
                    self._stream.recover(principal, seq)
                case Spend(principal=principal, id=id_, body=body):
                    self._spend(principal, id_, body)
                case Acked(seq=seq):
                    self._note(seq)
                case Beat():
                    self.send(Heartbeat(self.delivery.due), Kind.HEARTBEAT)
                case Redeem():
                    raise RuntimeError("a ticket is checked by whoever reads")

    def _spend(self, principal: Principal, id_: str, body: bytes) -> None:
        if self._leaving:
            refusal = problem(503, "Service Unavailable", f"{MOVING}, and send it again", retry_after_s=1)
            self.send(Error(id_, refusal))
            return
        if self._spending >= self._limits.expenses_in_flight_max:
            most = self._limits.expenses_in_flight_max
            refusal = problem(429, "Too Many Requests", f"at most {most} expenses in flight", retry_after_s=1)
            self._measures.expenses.inc("too_many")
            self.send(Error(id_, refusal))
            return
        self._spending += 1
        self._expenses.start(principal, id_, body, self._answer)

    def _answer(self, frame: ServerFrame) -> None:
        self._spending -= 1
        self.send(frame)
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

    def _put(self, text: str, kind: Kind) -> None:
        if self._closing is not None or self._over:
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
        self._stream.halt()

    def _outbound_is_out(self) -> None:
        if self._closing is None:
            self._stop()
        elif self._farewell is None:
            self._farewell = asyncio.create_task(self._say_goodbye(self._closing))

    async def _say_goodbye(self, closing: Close) -> None:
        # A peer that does not read cannot take a close frame either.
        try:
            with contextlib.suppress(TimeoutError, Disconnected):
                await asyncio.wait_for(self._wire.close(closing.code, closing.reason), self._limits.close_s)
        finally:
            self._stop()

    def _stop(self) -> None:
        self._over = True
        if self._handler is not None:
            self._handler.cancel()
