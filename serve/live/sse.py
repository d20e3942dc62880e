"""The socket's twin over server-sent events: the same connection, its frames as events, nothing to say back.

What a socket says in its `auth` frame, a stream's request says: who asks, from where to go on, in which names. Frames
become events (`event:` the frame's `t`, `data:` its JSON, `id:` the position, on turn and snapshot). The answer's head
waits for the first frame after `hello`, so that a refusal is a plain HTTP one, after which a browser's EventSource
rests; a stream that has begun ends with an event `close`.
"""

import asyncio
import re
from enum import Enum
from typing import Any

import msgspec

from serve.live import positions
from serve.live.limits import Limits
from serve.live.outbound import Disconnected
from serve.live.ports import Ports
from serve.live.protocol import Auth, CloseCode
from serve.problems import MEDIA_TYPE, Trouble

_FRAME = re.compile(r'\{"t":"(\w+)"(?:,"seq":(\d+))?')
_WITH_POSITION = ("turn", "snapshot")
_STATUS = {
    CloseCode.UNAUTHENTICATED: (401, "not-authenticated"),
    CloseCode.FORBIDDEN: (403, "forbidden"),
    CloseCode.BAD_FRAME: (400, "malformed"),
    CloseCode.TOO_MANY: (429, "too-many-requests"),
}
"""What a refusal is before the stream has begun; any other is a 503."""
RETRY_AFTER_S = 5
Headers = list[tuple[bytes, bytes]]


class Stage(Enum):
    """The answer's: PENDING nothing sent, STREAMING its head, ENDED all of it."""

    PENDING = "pending"
    STREAMING = "streaming"
    ENDED = "ended"


def event(text: str, epoch: str) -> str:
    """Return a frame as an event."""
    found = _FRAME.match(text)
    if found is None:
        raise ValueError(f"not a frame: {text[:40]!r}")
    kind, seq = found.groups()
    place = f"id: {positions.written(epoch, int(seq))}\n" if kind in _WITH_POSITION else ""
    return f"event: {kind}\n{place}data: {text}\n\n"


class SseWire:
    """An HTTP answer as a `Wire`. Its one inbound message is the request's `auth`."""

    def __init__(self, receive: Any, send: Any, auth: Auth, ports: Ports, limits: Limits, headers: Headers) -> None:
        """`headers` go with whatever the answer is."""
        self._receive, self._send = receive, send
        self._auth: Auth | None = auth
        self._epoch, self._clock, self._jitter, self._limits = ports.epoch, ports.clock, ports.jitter, limits
        self._headers = headers
        self._stage = Stage.PENDING
        self._whole = False
        self._held = ""
        self._one_at_a_time = asyncio.Lock()
        self._sent_at = ports.clock.monotonic()

    @property
    def whole(self) -> bool:
        """Whether the answer has its end, and the server has taken it."""
        return self._whole

    async def receive(self) -> str:
        """Return the request as an `auth` frame, then wait for the client to leave."""
        auth, self._auth = self._auth, None
        if auth is not None:
            return msgspec.json.encode(auth).decode()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise Disconnected

    def put(self, text: str) -> bool:
        """Send nothing: whether an answer's reader keeps up cannot be known without waiting."""
        del text
        return False

    async def send(self, text: str) -> None:
        """Send a frame as an event; `hello` waits for the next one."""
        if self._stage is Stage.PENDING and not self._held:
            self._held = event(text, self._epoch)
        else:
            await self._write(event(text, self._epoch))

    async def keep_alive(self) -> None:
        """Send a comment whenever nothing was sent for `comment_s`, for what stands between and counts seconds."""
        while self._stage is not Stage.ENDED:
            idle_s = self._clock.monotonic() - self._sent_at
            if idle_s >= self._limits.comment_s:
                await self._write(":\n\n")
                idle_s = 0.0
            await self._clock.sleep(self._limits.comment_s - idle_s)

    async def close(self, code: int, reason: str) -> None:
        """End the answer: with an event `close`, or, if it has not begun, as a problem."""
        async with self._one_at_a_time:
            if self._stage is Stage.ENDED:
                return
            begun, self._stage = self._stage is Stage.STREAMING, Stage.ENDED
            if begun:
                await self._chunk(self._farewell(code, reason), more=False)
            else:
                await refuse(self._send, _problem(code, reason), self._headers)
            self._whole = True

    async def _write(self, text: str) -> None:
        async with self._one_at_a_time:
            if self._stage is Stage.ENDED:
                raise Disconnected
            if self._stage is Stage.PENDING:
                await self._begin()
                self._stage = Stage.STREAMING
                text, self._held = f"{self._retry(1_000, 2_000)}\n{self._held}{text}", ""
            await self._chunk(text, more=True)

    async def _begin(self) -> None:
        streaming = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        headers = [*streaming, (b"cache-control", b"no-store"), *self._headers]
        await self._tell({"type": "http.response.start", "status": 200, "headers": headers})

    async def _chunk(self, text: str, *, more: bool) -> None:
        await self._tell({"type": "http.response.body", "body": text.encode(), "more_body": more})
        self._sent_at = self._clock.monotonic()

    async def _tell(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except OSError as gone:
            raise Disconnected from gone

    def _farewell(self, code: int, reason: str) -> str:
        said = msgspec.json.encode({"t": "close", "code": int(code), "reason": reason}).decode()
        return f"{self._when_to_return(code)}event: close\ndata: {said}\n\n"

    def _when_to_return(self, code: int) -> str:
        """Say how long an EventSource waits: 42xx hardly, all others that may come back, longer; apart from each other.

        One that may not is answered with an HTTP error when it does, and rests then.
        """
        if 4000 <= code < 4100:
            return ""
        return self._retry(0, 2_000) if 4200 <= code < 4300 else self._retry(5_000, 10_000)

    def _retry(self, at_least_ms: int, spread_ms: int) -> str:
        return f"retry: {at_least_ms + int(self._jitter() * spread_ms)}\n"


def _problem(code: int, reason: str) -> Trouble:
    status, name = _STATUS.get(CloseCode(code), (503, "unavailable"))
    headers = {"WWW-Authenticate": 'Bearer realm="boond"'} if status == 401 else {}
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Trouble(status, reason, name=name, headers=headers)


async def refuse(send: Any, trouble: Trouble, headers: Headers) -> None:
    """Answer with a problem document."""
    body = trouble.encode()
    own = [(name.lower().encode(), value.encode()) for name, value in trouble.headers.items()]
    about = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    about.append((b"cache-control", b"no-store"))
    try:
        await send({"type": "http.response.start", "status": trouble.status, "headers": [*about, *own, *headers]})
        await send({"type": "http.response.body", "body": body, "more_body": False})
    except OSError as gone:
        raise Disconnected from gone
