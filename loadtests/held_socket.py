"""One socket of a holder: a state machine over an asyncio transport, without a task or a queue of its own."""

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, cast

from typing_extensions import override

from loadtests.frames import Opcode, ProtocolError, Reader, UpgradeRefused, close_code, frame
from loadtests.listening import LOST, Position, Tally, Verdict, count
from loadtests.turns import Frame, Turn, read_frame, read_turn


class State(StrEnum):
    """Where a socket is. Each follows the one before it, but that a resumed one needs no snapshot."""

    DIALLING = "dialling"
    UPGRADING = "upgrading"
    GREETING = "greeting"
    ENTERING = "entering"
    AWAITING_SNAPSHOT = "awaiting a snapshot"
    OPEN = "open"
    CLOSED = "closed"


_NEXT = {
    State.DIALLING: {State.UPGRADING, State.CLOSED},
    State.UPGRADING: {State.GREETING, State.CLOSED},
    State.GREETING: {State.ENTERING, State.CLOSED},
    State.ENTERING: {State.AWAITING_SNAPSHOT, State.OPEN, State.CLOSED},
    State.AWAITING_SNAPSHOT: {State.OPEN, State.CLOSED},
    State.OPEN: {State.CLOSED},
    State.CLOSED: set[State](),
}


class Owner(Protocol):
    """Whose socket it is."""

    position: Position
    tally: Tally

    def auth(self) -> bytes:
        """Return the `auth` frame's text."""

    def on_open(self) -> None:
        """Hear that the socket is `ready`, and the position known."""

    def on_turn(self, turn: Turn) -> None:
        """Hear of a turn that was the next one."""

    def on_closed(self, socket: "HeldSocket", code: int) -> None:
        """Hear that it ended: the server's code, 1006 without one, 0 when the upgrade failed."""


class HeldSocket(asyncio.Protocol):
    """Authenticates, keeps the position, answers pings, asks again when a heartbeat is ahead."""

    __slots__ = (
        "_code",
        "_owner",
        "_reader",
        "_request",
        "_transport",
        "heard_at",
        "heartbeat_s",
        "is_paused",
        "live_from_ns",
        "state",
    )

    def __init__(self, owner: Owner, request: bytes, accept: bytes) -> None:
        self.state = State.DIALLING
        self.heard_at = time.monotonic()
        self.heartbeat_s = 25.0
        self.is_paused = False
        self.live_from_ns = 0
        """Since when it is open and reads: what was sent before is caught up on, which is no time of a push."""
        self._owner = owner
        self._request = request
        self._reader = Reader(accept)
        self._code = LOST
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.state is State.CLOSED:
            self._transport.abort()
            return
        self._go(State.UPGRADING)
        self._transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        arrived_ns = time.monotonic_ns()
        self.heard_at = arrived_ns / 1e9
        self._owner.tally.bytes_in += len(data)
        try:
            for opcode, payload in self._reader.feed(data):
                if self.state is State.UPGRADING:
                    self._go(State.GREETING)
                if self.state is State.CLOSED:
                    return
                self._take(opcode, payload, arrived_ns)
        except UpgradeRefused as refused:
            count(self._owner.tally.refused, refused.status)
            self._fail(0)
        except ValueError as error:
            self._owner.tally.wrong(str(error))
            self._fail(LOST)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end(self._code)

    def leave(self) -> None:
        """Close politely, as a phone that is put away."""
        self._write(frame(Opcode.CLOSE, (1000).to_bytes(2, "big")))
        if self._transport is not None:
            self._transport.close()
        self._forget()

    def reset(self) -> None:
        """Drop the line without a word."""
        self._forget()
        if self._transport is not None:
            self._transport.abort()

    def fall_silent(self) -> None:
        """Neither read nor answer any more, and leave the line as it is."""
        self.read(on=False)
        self._forget()

    def read(self, on: bool) -> None:
        """Stop or go on reading from the line."""
        if self._transport is not None and not self._transport.is_closing() and self.is_paused is on:
            self.is_paused = not on
            self.live_from_ns = time.monotonic_ns()
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    def _forget(self) -> None:
        """Be closed by our own wish: the owner knows, and is not told."""
        if self.state is not State.CLOSED:
            self._go(State.CLOSED)

    def _go(self, state: State) -> None:
        if state not in _NEXT[self.state]:
            raise ProtocolError(f"a socket that is {self.state} cannot become {state}")
        self.state = state

    def _take(self, opcode: Opcode, payload: bytes, arrived_ns: int) -> None:
        if opcode is Opcode.TEXT:
            turn = read_turn(payload)
            if turn is not None:
                self._take_turn(turn, arrived_ns)
            else:
                self._take_frame(read_frame(payload))
        elif opcode is Opcode.PING:
            self._write(frame(Opcode.PONG, payload))
        elif opcode is Opcode.CLOSE:
            self._code = close_code(payload)
            self._write(frame(Opcode.CLOSE, payload[:2]))
            self._fail(self._code)
        elif opcode is not Opcode.PONG:
            raise ProtocolError(f"a {opcode.name} frame: expected text")

    def _take_turn(self, turn: Turn, arrived_ns: int) -> None:
        if self.state is not State.OPEN:
            raise ProtocolError(
                f"turn {turn.seq} on a socket that is {self.state}: expected ready, or a snapshot, first"
            )
        tally = self._owner.tally
        verdict = self._owner.position.take(turn.seq)
        if verdict is Verdict.NEXT:
            tally.turns += 1
            if turn.sent_ns is not None and turn.sent_ns >= tally.measure_from_ns:
                timed = tally.push if turn.sent_ns >= self.live_from_ns else tally.caught_up
                timed.add_ns(arrived_ns - turn.sent_ns)
            self._owner.on_turn(turn)
        elif verdict is Verdict.REPEATED:
            tally.repeated += 1
        else:
            tally.out_of_order += 1
            self._ask_again()

    def _take_frame(self, said: Frame) -> None:
        on_frame = _ON_FRAME.get((self.state, said.t))
        if on_frame is not None:
            on_frame(self, said)
        elif said.t in _KNOWN or self.state is not State.OPEN:
            raise ProtocolError(f"{said.t} on a socket that is {self.state}")

    def _on_hello(self, said: Frame) -> None:
        self.heartbeat_s = said.heartbeat_s
        self._go(State.ENTERING)
        self._write(frame(Opcode.TEXT, self._owner.auth()))

    def _on_ready(self, said: Frame) -> None:
        position, tally = self._owner.position, self._owner.tally
        self._go(State.OPEN if said.resumed else State.AWAITING_SNAPSHOT)
        tally.resumed += said.resumed
        if said.resumed and said.epoch != position.epoch:
            raise ProtocolError(f"resumed in epoch {said.epoch}, asked for {position.epoch!r}")
        position.epoch = said.epoch
        if said.resumed:
            self._entered()

    def _on_snapshot(self, said: Frame) -> None:
        self._owner.tally.snapshots += 1
        self._owner.position.begin(said.seq)
        if self.state is State.AWAITING_SNAPSHOT:
            self._go(State.OPEN)
            self._entered()

    def _entered(self) -> None:
        self._owner.tally.entered += 1
        self.live_from_ns = time.monotonic_ns()
        self._owner.on_open()

    def _on_reset(self, _said: Frame) -> None:
        self._owner.tally.resets += 1

    def _on_heartbeat(self, said: Frame) -> None:
        if said.head > self._owner.position.seq >= 0:
            self._owner.tally.asked_again += 1
            self._ask_again()

    def _on_anything(self, _said: Frame) -> None:
        """Tokens of a load test outlive it, and a holder sends no expenses: nothing to do."""

    def _ask_again(self) -> None:
        self._write(frame(Opcode.TEXT, b'{"t":"resume","seq":%d}' % self._owner.position.seq))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _fail(self, code: int) -> None:
        if self._transport is not None:
            self._transport.close()
        self._end(code)

    def _end(self, code: int) -> None:
        if self.state is not State.CLOSED:
            self._go(State.CLOSED)
            self._owner.on_closed(self, code)


_KNOWN = frozenset({"hello", "ready", "snapshot", "reset", "heartbeat", "expiring"})
_ON_FRAME: dict[tuple[State, str], Callable[[HeldSocket, Frame], None]] = {
    (State.GREETING, "hello"): HeldSocket._on_hello,
    (State.ENTERING, "ready"): HeldSocket._on_ready,
    (State.OPEN, "ready"): HeldSocket._on_anything,
    (State.AWAITING_SNAPSHOT, "snapshot"): HeldSocket._on_snapshot,
    (State.AWAITING_SNAPSHOT, "reset"): HeldSocket._on_reset,
    (State.AWAITING_SNAPSHOT, "heartbeat"): HeldSocket._on_anything,
    (State.OPEN, "snapshot"): HeldSocket._on_snapshot,
    (State.OPEN, "reset"): HeldSocket._on_reset,
    (State.OPEN, "heartbeat"): HeldSocket._on_heartbeat,
    (State.OPEN, "expiring"): HeldSocket._on_anything,
}
