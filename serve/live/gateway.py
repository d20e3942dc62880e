"""All live sockets of this process: admission, deadlines, and an orderly end."""

import asyncio
import contextlib
import logging
from collections import Counter
from uuid import uuid4

from actors.cause import REQUEST_ID
from actors.meters import Series
from serve import request_ids
from serve.live.anteroom import Anteroom, Full
from serve.live.connection import MOVING, Connection
from serve.live.entrance import Entrance
from serve.live.expenses import Expenses
from serve.live.limits import Limits
from serve.live.measures import LiveMeasures
from serve.live.moving import let_go, spread_s
from serve.live.outbound import Disconnected, Wire
from serve.live.ports import Ports
from serve.live.protocol import CloseCode
from serve.live.session import Phase
from serve.live.subscriptions import Subscriptions

_log = logging.getLogger(__name__)


class Gateway:
    """Serves sockets over any `Wire`. It starts with its first socket and needs no start-up hook.

    Delivery never depends on noticing a disconnect: a client's position is its own `seq`, and history is the journal.
    """

    def __init__(self, ports: Ports, limits: Limits | None = None, name: str | None = None) -> None:
        self.limits = limits or Limits()
        self.name = name or f"gateway-{uuid4().hex}"
        self._ports = ports
        self.measures: LiveMeasures = ports.measures
        self._subscriptions = Subscriptions(self.name, ports, self.limits)
        self._expenses = Expenses(ports)
        self._anteroom, self._entrance = Anteroom(self.limits), Entrance(self.limits)
        self._connections: set[Connection] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._moving = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def ports(self) -> Ports:
        """What it works with."""
        return self._ports

    @property
    def sockets(self) -> int:
        """How many sockets are open here."""
        return len(self._connections)

    @property
    def users(self) -> int:
        """How many users are subscribed here."""
        return len(self._subscriptions)

    def series(self) -> list[Series]:
        """Return what was counted here; the longest queue is measured anew from now on."""
        by_phase = Counter(connection.session.phase for connection in self._connections)
        for phase in Phase:
            self.measures.sockets.set(by_phase[phase], phase.name.lower())
        self.measures.users.set(self.users)
        series = self.measures.series()
        self.measures.queue_frames.set(0)
        return series

    async def serve(self, wire: Wire, address: str = "") -> None:
        """Serve one accepted socket of a peer at `address` until it ends.

        What it asks for itself has a request id of its own.
        """
        REQUEST_ID.set(request_ids.accept(""))
        # Serve's own back-pressure hangs an upgrade or answers it with a bare 500, so admission is ours.
        if self._moving:
            return await self.turn_away(wire, "moving", CloseCode.MOVING, MOVING)
        if self.sockets >= self.limits.sockets_max:
            reason = f"at most {self.limits.sockets_max} sockets here"
            return await self.turn_away(wire, "gateway_full", CloseCode.TOO_MANY, reason)
        try:
            seat = self._anteroom.seat(address)
        except Full as full:
            return await self.turn_away(wire, full.why, CloseCode.TOO_MANY, str(full))
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())
        connection = Connection(
            wire, self._ports, self.limits, self._subscriptions, self._expenses, self._entrance, seat
        )
        self._connections.add(connection)
        self.measures.opened.inc()
        self._empty.clear()
        try:
            await connection.run()
        finally:
            connection.release()
            self._connections.discard(connection)
            self.measures.closed.inc(connection.ended_by)
            if not self._connections:
                self._empty.set()
        return None

    async def close(self, longest_s: float = 0.0) -> None:
        """Move every client elsewhere (4200), finish the expenses under way, and stop. New sockets are turned away.

        The sockets are let go at a pace (`moving.PER_S`), within `longest_s`; what has not closed `stall_s` later is
        cut short. Harmless when repeated.
        """
        self._moving = True
        await let_go(self._connections, spread_s(self.sockets, longest_s), self._ports.clock)
        try:
            async with asyncio.timeout(self.limits.stall_s):
                await self._empty.wait()
                await self._expenses.drain()
        except TimeoutError:
            _log.warning("%d sockets did not close in %g s", self.sockets, self.limits.stall_s)
            await self._cut_short()
        if self._ticker is not None:
            self._ticker.cancel()
        self._subscriptions.stop()

    async def _cut_short(self) -> None:
        for connection in tuple(self._connections):
            connection.abort(CloseCode.MOVING, MOVING)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), self.limits.close_s + 1)

    async def _tick(self) -> None:
        while True:
            await self._ports.clock.sleep(self.limits.tick_s)
            at = self._ports.clock.monotonic()
            for connection in [each for each in self._connections if each.is_due(at)]:
                try:
                    connection.tick()
                except Exception:
                    # One socket's trouble must not stop the time of all others.
                    _log.exception("a socket's deadlines failed")
                    connection.abort(CloseCode.INTERNAL, "internal error; resume")

    async def turn_away(self, wire: Wire, why: str, code: CloseCode, reason: str) -> None:
        """Close an accepted socket that is not served; `why` is a label of the measures."""
        self.measures.turned_away.inc(why)
        try:
            await asyncio.wait_for(wire.close(code, reason), self.limits.close_s)
        except (TimeoutError, Disconnected):
            return
