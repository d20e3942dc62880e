"""The asyncio client: one task holds the line, the application iterates."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from random import Random
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from serve.client import address, closing
from serve.client.actions import Action, Answer, Deliver, Drop, Renew, Retry, Send
from serve.client.credentials import Secret, Source
from serve.client.errors import Closed, LiveError, Refused
from serve.client.frames import SUBPROTOCOL, Names, Position, Receipt, Turn
from serve.client.intake import Item
from serve.client.kept import Dropped, Kept, outcome, turn_of
from serve.client.limits import Limits

_log = logging.getLogger(__name__)
_CLOSE_S = 1.0


def connect(
    url: str,
    token: Secret | None = None,
    *,
    ticket: Secret | None = None,
    resume: Position | None = None,
    names: Names = "boond",
    limits: Limits | None = None,
    chance: Random | None = None,
) -> "Live":
    """Return a live stream to be used as `async with`: entering waits until it is there.

    `url` is the server's base URL, or a whole `ws://…` one. `token` (or `ticket`) is a text, or a callable that gives a
    fresh one: without a callable the stream ends when the token does. `resume` goes on after a position stored earlier.
    Raises `ValueError`; entering raises `LiveError`, or what the callable raises before the first stream.
    """
    return Live(address.socket_url(url), Source(token, ticket), resume, names, limits or Limits(), chance or Random())


class Frames:
    """The items of a stream. Unlike a generator it goes on after a step that was cancelled."""

    def __init__(self, step: Callable[[], Awaitable[Item]]) -> None:
        self._step = step

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """Return the next item, or raise what ended the stream."""
        return await self._step()


class Live(Kept):
    """A user's stream, kept up over as many sockets as it takes. For one task that iterates and any that spend."""

    def __init__(
        self, url: str, source: Source, resume: Position | None, names: Names, limits: Limits, chance: Random
    ) -> None:
        super().__init__(resume, names, limits, chance)
        self._url, self._source = url, source
        self._news, self._room, self._came = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._slots = asyncio.Semaphore(limits.expenses_max)
        self._answers: dict[str, asyncio.Future[Receipt]] = {}
        self._socket: ClientConnection | None = None
        self._running: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._begin(_now())
        self._running = asyncio.create_task(self._run())
        try:
            await self._came.wait()
            if self._failure is not None:
                raise self._failure
        except BaseException:
            await self._stop()
            raise
        self._intake.look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Turn:
        """Return the next turn. Raises `StreamReset` in the place of turns that are gone, and whatever ended it all."""
        while True:
            if (turn := turn_of(await self._next())) is not None:
                return turn

    def frames(self) -> "Frames":
        """Iterate over turns and snapshots as they come; nothing is raised for a reset."""
        return Frames(self._next)

    async def spend(self, data: dict[str, Any]) -> Receipt:
        """Send an expense, a body of `POST /transactions`, until it is answered; return its receipt.

        Its `external_id` makes sending again harmless. Raises `Refused`, `ValueError`, or what ended the stream.
        """
        async with self._slots:
            if self._failure is not None:
                raise self._failure
            id_, actions = self._stream.spend(data)
            answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            self._answers[id_] = answer
            self._room.set()
            try:
                await self._say(actions)
                return await answer
            finally:
                del self._answers[id_]
                self._stream.forget(id_)

    async def _next(self) -> Item:
        while not len(self._intake):
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            await self._news.wait()
        if self._intake.nearly_roomy:
            await self._say(self._stream.roomy())
        # Nothing is awaited from here on: a consumer that is cancelled has not taken the item.
        self._room.set()
        return self._intake.take()

    async def _stop(self) -> None:
        self._stream.end()
        for task in (self._running, self._renewing):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        self._fail(Closed("the block of `connect` is over"))

    def _fail(self, failure: BaseException) -> None:
        self._failure = self._failure or failure
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._failure)
        self._news.set()
        self._came.set()

    async def _run(self) -> None:
        try:
            while True:
                retry = await self._line()
                _log.info("the line is lost: %s; again in %.1f s", retry.reason, retry.after_s)
                await asyncio.sleep(retry.after_s)
        except Exception as error:
            self._fail(error)

    async def _line(self) -> Retry:
        """Hold one line from token to loss."""
        try:
            credential = await self._source.ask()
        except LiveError:
            raise
        except Exception as error:
            # Later it may be the same network that is away: the application's callable is asked again.
            if not self._stream.opens:
                raise
            return outcome(self._stream.lost(_now(), None, f"no token: {error!r}"))
        if ended := self._stream.reaching(credential, _now()):
            return outcome(ended)
        try:
            socket = await self._open()
        except InvalidStatus as refusal:
            status, pause_s = closing.answered(refusal)
            return outcome(self._stream.turned_away(_now(), status, pause_s))
        except (OSError, TimeoutError, WebSocketException) as error:
            return outcome(self._stream.lost(_now(), None, f"{type(error).__name__}: {error}"))
        self._socket = socket
        try:
            code, reason = await self._pump(socket)
        finally:
            self._socket = None
            if self._renewing is not None:
                self._renewing.cancel()
            await socket.close()
        return outcome(self._stream.lost(_now(), code, reason))

    async def _open(self) -> ClientConnection:
        # No pings of ours: the server's heartbeats say whether the line lives.
        return await open_socket(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=self._limits.inbound_bytes_max,
            open_timeout=self._limits.connect_s,
            ping_interval=None,
            close_timeout=_CLOSE_S,
            proxy=None if address.is_loopback(self._url) else True,
        )

    async def _pump(self, socket: ClientConnection) -> tuple[int | None, str]:
        """Read until the line ends; return its close code and reason."""
        self._stream.connected(_now())
        try:
            while True:
                await self._readable()
                try:
                    async with asyncio.timeout(max(0.0, self._stream.deadline - _now())):
                        text = await socket.recv()
                except TimeoutError:
                    actions = self._stream.tick(_now())
                else:
                    actions = self._stream.receive(text, _now(), room=not self._intake.full)
                await self._perform(actions, socket)
        except ConnectionClosed as closed:
            return closing.code_of(closed)
        except Dropped as dropped:
            socket.transport.abort()
            return None, str(dropped)

    async def _readable(self) -> None:
        """Wait while nothing can be taken in. Not while an expense waits: its answer is behind what is not read."""
        waited = False
        while self._intake.full and not self._stream.spending:
            waited = True
            self._room.clear()
            await self._room.wait()
        if waited:
            self._stream.listen(_now())

    async def _perform(self, actions: list[Action], socket: ClientConnection) -> None:
        for action in actions:
            match action:
                case Send(text=text):
                    await self._send(socket, text)
                case Deliver(item=item):
                    assert self._stream.position is not None
                    self._intake.put(item, self._stream.position.epoch)
                    self._news.set()
                case Answer():
                    self._decide(action)
                case Renew():
                    self._renewing = asyncio.create_task(self._renew())
                case Drop(reason=reason):
                    raise Dropped(reason)
                case _:
                    raise RuntimeError(f"{type(action).__name__} on an open line")
        if self._stream.opens:
            self._came.set()

    async def _send(self, socket: ClientConnection, text: str) -> None:
        try:
            async with asyncio.timeout(self._limits.send_s):
                await socket.send(text)
        except TimeoutError:
            raise Dropped(f"a send took over {self._limits.send_s:g} s") from None

    async def _say(self, actions: list[Action]) -> None:
        """Send from the application's task. A line that is lost meanwhile is the reader's business."""
        socket = self._socket
        if socket is None:
            return
        try:
            await self._perform(actions, socket)
        except ConnectionClosed:
            return
        except Dropped:
            socket.transport.abort()

    def _decide(self, answer: Answer) -> None:
        waiting = self._answers.get(answer.id)
        if waiting is None or waiting.done():
            return
        if answer.receipt is not None:
            waiting.set_result(answer.receipt)
        else:
            waiting.set_exception(Refused(answer.problem or {}))

    async def _renew(self) -> None:
        try:
            credential = await self._source.ask()
        except Exception as error:
            _log.warning("no fresh token: %r", error)
            self._stream.not_renewed(_now())
        else:
            with contextlib.suppress(ConnectionClosed):
                await self._say(self._stream.renewed(credential, _now()))


def _now() -> float:
    return asyncio.get_running_loop().time()
