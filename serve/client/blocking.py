"""The same client for threads, and for greenlets where gevent has patched the standard library (Locust).

One thread of its own holds the line; the application iterates and spends from any other.
"""

import logging
import socket as sockets
import threading
import time
from collections.abc import Iterator
from random import Random
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from websockets.typing import Subprotocol

from serve.client import address, closing
from serve.client.actions import Action, Answer, Deliver, Drop, Renew, Retry, Send
from serve.client.credentials import Secret, Source
from serve.client.errors import Closed, LiveError, Refused
from serve.client.frames import SUBPROTOCOL, Names, Position, Receipt, Turn
from serve.client.intake import Item
from serve.client.kept import Dropped, Kept, outcome, turn_of
from serve.client.limits import Limits
from serve.client.stream import NEVER, Phase

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
    """Return a live stream to be used as `with`: see `serve.client.connect`, whose arguments and errors it has.

    A callable for `token` or `ticket` returns the text itself; it is called in the thread that holds the line.
    """
    return Live(address.socket_url(url), Source(token, ticket), resume, names, limits or Limits(), chance or Random())


class Live(Kept):
    """A user's stream. For one thread that iterates and any that spend."""

    def __init__(
        self, url: str, source: Source, resume: Position | None, names: Names, limits: Limits, chance: Random
    ) -> None:
        super().__init__(resume, names, limits, chance)
        self._url, self._source = url, source
        self._change = threading.Condition()
        """Guards everything below and the stream; told of every change."""
        self._answers: dict[str, Receipt | Refused | None] = {}
        self._socket: ClientConnection | None = None
        self._leaving = threading.Event()
        self._reader = threading.Thread(target=self._run, name="boond-live", daemon=True)

    def __enter__(self) -> Self:
        with self._change:
            self._begin(time.monotonic())
        self._reader.start()
        try:
            with self._change:
                self._change.wait_for(lambda: self._stream.opens or self._failure)
                if self._failure is not None:
                    raise self._failure
                self._intake.look()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Turn:
        """Return the next turn. Raises `StreamReset` in the place of turns that are gone, and whatever ended it all."""
        while True:
            if (turn := turn_of(self._next())) is not None:
                return turn

    def frames(self) -> Iterator[Item]:
        """Yield turns and snapshots as they come; nothing is raised for a reset."""
        while True:
            yield self._next()

    def spend(self, data: dict[str, Any], timeout_s: float | None = None) -> Receipt:
        """Send an expense until it is answered; see the asyncio client. Raises `TimeoutError` after `timeout_s`.

        After a time-out it may have been carried out all the same: the same `external_id` again says so.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        with self._change:
            if not self._change.wait_for(self._has_place, timeout_s):
                raise TimeoutError(f"{len(self._answers)} expenses wait for their answers")
            if self._failure is not None:
                raise self._failure
            id_, actions = self._stream.spend(data)
            self._answers[id_] = None
            self._change.notify_all()
        try:
            self._say(actions)
            return self._answer(id_, until)
        finally:
            with self._change:
                del self._answers[id_]
                self._stream.forget(id_)
                self._change.notify_all()

    def _has_place(self) -> bool:
        return self._failure is not None or len(self._answers) < self._limits.expenses_max

    def _answer(self, id_: str, until: float | None) -> Receipt:
        left_s = None if until is None else max(0.0, until - time.monotonic())
        with self._change:
            if not self._change.wait_for(lambda: self._answers[id_] is not None or self._failure, left_s):
                raise TimeoutError("no answer yet: the same external_id again will say what became of it")
            answer = self._answers[id_]
            if isinstance(answer, Refused):
                raise answer
            if answer is None:
                raise self._failure or Closed("the stream has ended")
            return answer

    def _next(self) -> Item:
        with self._change:
            self._change.wait_for(lambda: len(self._intake) or self._failure)
            if not len(self._intake):
                raise self._failure or Closed("the stream has ended")
            asking = self._stream.roomy() if self._intake.nearly_roomy else []
        self._say(asking)
        # Nothing waits from here on: a greenlet that is interrupted has not taken the item.
        with self._change:
            self._change.notify_all()
            return self._intake.take()

    def _stop(self) -> None:
        with self._change:
            self._stream.end()
            self._fail(Closed("the block of `connect` is over"))
            socket = self._socket
        self._leaving.set()
        if socket is not None:
            socket.close()
        # A daemon: a token callable or a name look-up that hangs must not hold up the application.
        self._reader.join(self._limits.connect_s + _CLOSE_S)

    def _fail(self, failure: BaseException) -> None:
        with self._change:
            self._failure = self._failure or failure
            self._change.notify_all()

    def _run(self) -> None:
        try:
            while not self._leaving.is_set():
                retry = self._line()
                _log.info("the line is lost: %s; again in %.1f s", retry.reason, retry.after_s)
                self._leaving.wait(retry.after_s)
        except Exception as error:
            self._fail(error)

    def _line(self) -> Retry:
        """Hold one line from token to loss."""
        try:
            credential = self._source.ask_at_once()
        except LiveError:
            raise
        except Exception as error:
            if not self._stream.opens:
                raise
            return self._lost(None, f"no token: {error!r}")
        with self._change:
            if ended := self._stream.reaching(credential, time.monotonic()):
                return outcome(ended)
        try:
            socket = self._open()
        except InvalidStatus as refusal:
            status, pause_s = closing.answered(refusal)
            with self._change:
                return outcome(self._stream.turned_away(time.monotonic(), status, pause_s))
        except (OSError, TimeoutError, WebSocketException) as error:
            return self._lost(None, f"{type(error).__name__}: {error}")
        with socket:
            try:
                return self._lost(*self._pump(socket))
            finally:
                with self._change:
                    self._socket = None

    def _lost(self, code: int | None, reason: str) -> Retry:
        with self._change:
            return outcome(self._stream.lost(time.monotonic(), code, reason))

    def _open(self) -> ClientConnection:
        socket = open_socket(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=self._limits.inbound_bytes_max,
            open_timeout=self._limits.connect_s,
            ping_interval=None,
            close_timeout=_CLOSE_S,
            proxy=None if address.is_loopback(self._url) else True,
        )
        if hasattr(sockets, "TCP_USER_TIMEOUT"):
            # A send to a peer that is gone would wait for ever once the kernel's buffer is full.
            socket.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, round(self._limits.send_s * 1_000))
        return socket

    def _pump(self, socket: ClientConnection) -> tuple[int | None, str]:
        """Read until the line ends; return its close code and reason."""
        with self._change:
            if self._stream.phase is Phase.ENDED:
                return None, "left"
            self._socket = socket
            self._stream.connected(time.monotonic())
        try:
            while True:
                self._perform(self._read(socket), socket)
        except ConnectionClosed as closed:
            return closing.code_of(closed)
        except Dropped as dropped:
            socket.close_socket()
            return None, str(dropped)

    def _read(self, socket: ClientConnection) -> list[Action]:
        """Return what the next frame, or its absence, leads to. Waits while nothing can be taken in."""
        with self._change:
            if self._jammed():
                self._change.wait_for(lambda: not self._jammed())
                self._stream.listen(time.monotonic())
            due = self._stream.deadline
        try:
            text = socket.recv(None if due == NEVER else max(0.0, due - time.monotonic()))
        except TimeoutError:
            with self._change:
                return self._stream.tick(time.monotonic())
        with self._change:
            actions = self._stream.receive(text, time.monotonic(), room=not self._intake.full)
            # A `ready` that resumes with nothing missed leads to no action, and `__enter__` waits for it.
            self._change.notify_all()
            return actions

    def _jammed(self) -> bool:
        return self._intake.full and not self._stream.spending and self._failure is None

    def _perform(self, actions: list[Action], socket: ClientConnection) -> None:
        for action in actions:
            match action:
                case Send(text=text):
                    socket.send(text)
                case Deliver(item=item):
                    with self._change:
                        assert self._stream.position is not None
                        self._intake.put(item, self._stream.position.epoch)
                case Answer():
                    self._decide(action)
                case Renew():
                    self._renew(socket)
                case Drop(reason=reason):
                    raise Dropped(reason)
                case _:
                    raise RuntimeError(f"{type(action).__name__} on an open line")
        if actions:
            with self._change:
                self._change.notify_all()

    def _say(self, actions: list[Action]) -> None:
        """Send from the application's thread. A line that is lost meanwhile is the reader's business."""
        socket = self._socket
        if socket is None:
            return
        try:
            self._perform(actions, socket)
        except ConnectionClosed:
            return

    def _decide(self, answer: Answer) -> None:
        with self._change:
            if answer.id in self._answers:
                refused = Refused(answer.problem or {})
                self._answers[answer.id] = refused if answer.receipt is None else answer.receipt

    def _renew(self, socket: ClientConnection) -> None:
        try:
            credential = self._source.ask_at_once()
        except Exception as error:
            _log.warning("no fresh token: %r", error)
            with self._change:
                self._stream.not_renewed(time.monotonic())
            return
        with self._change:
            actions = self._stream.renewed(credential, time.monotonic())
        self._perform(actions, socket)
