"""The live gateway with nothing behind it: a runtime in memory that floods its feed when a client's expense says so.

What is measured then is the gateway alone: subscriptions, delivery, encoding, queues, the socket. The feed answers in
pieces of 64 KB, as a shard's does.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.collector import calm
from actors.messages import Envelope, Frame, Meta, Outcome, Pull, Pulled
from serve.live.app import build_app
from serve.live.ports import Ports
from serve.settings import RuntimeConfig

PATH = "/api/v1/live"
EPOCH = "flood"
PULL_BYTES_MAX = 64 * 1024
AT = "2026-11-20T10:00:00+05:30"
EVENTS = (
    b'[{"type":"transaction_recorded","data":{"transaction_id":"0199a2c5-77aa-7c1e-8f30-3a5b1c9d2e4f","external_id":'
    b'"upi-3141592653","user_id":"u1","seq":1,"amount":19725,"currency":"INR","category":"food","confidence":0.97,'
    b'"rounded_to":20000,"saved_amount":275,"base_saved":275,"boost_saved":0,"skipped_reason":null,"jar_postings":'
    b'[{"jar_id":"0199a2c5-11aa-7c1e-8f30-3a5b1c9d2e4f","amount":275}],"anomaly":null,"alerts":[],"effect":"recorded",'
    b'"reason":null,"budgets":[{"category":"food","spent":219725,"limit":500000,"percent":43.9}],"streak":3,'
    b'"duplicate":false}}]'
)
"""A turn of a purchase, its transaction left out: 640 bytes, the size of a busy push."""


def turn(seq: int) -> str:
    """Return the frame every socket gets as its turn `seq`, as the gateway would encode it."""
    return f'{{"t":"turn","seq":{seq},"at":"{AT}","events":{EVENTS.decode()}}}'


class _Who(msgspec.Struct, frozen=True):
    user_id: str
    role: str = "user"
    expires_at: float = float(2**40)

    @property
    def entity_id(self) -> str:
        return f"main/{self.user_id}"


class FloodRuntime:
    """A `Runtime` of one shard whose users all have the same number of turns; keeps no history."""

    shards = 1

    def __init__(self) -> None:
        self._users: dict[str, None] = {}
        self._frames: list[Frame] = []
        self._at = 0
        self._head = 0
        self._news = asyncio.Event()
        self._pulls = 0

    def shard_of(self, entity_id: str) -> int:
        return 0

    async def head(self, entity_id: str) -> int:
        return self._head

    async def history(self, entity_id: str, after: int, limit: int) -> list[Frame]:
        return [Frame(entity_id, seq, AT, EVENTS) for seq in range(after + 1, self._head + 1)][:limit]

    async def submit(self, envelope: Envelope) -> Outcome:
        """Answer the overview; flood with `rounds` turns for every user when it is a command."""
        if envelope.command_id is None:
            return Outcome("read", self._head, b'{"seq":0}')
        for _ in range(int(envelope.body)):
            self._head += 1
            self._frames += [Frame(user, self._head, AT, EVENTS) for user in self._users]
        self._news.set()
        return Outcome("done", self._head, b"{}")

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        return [await self.submit(envelope) for envelope in envelopes]

    async def pull(self, shard: int, request: Pull) -> Pulled:
        for user in request.unsubscribe:
            self._users.pop(user, None)
        self._users.update(dict.fromkeys(request.subscribe))
        heads = dict.fromkeys(request.subscribe, self._head)
        self._pulls += 1
        mine = self._pulls
        if self._at == len(self._frames) and request.wait_s and not heads:
            self._news.clear()
            await asyncio.wait([asyncio.ensure_future(self._news.wait())], timeout=request.wait_s)
        # A call to a shard lets the loop serve its sockets meanwhile.
        await asyncio.sleep(0)
        if mine != self._pulls:
            # A newer pull of the same gateway is under way: an older one must take nothing from it.
            return Pulled("flood", 0, known=True, heads=heads)
        count = PULL_BYTES_MAX // len(EVENTS)
        frames = self._frames[self._at : self._at + count]
        self._at += len(frames)
        if frames and self._at == len(self._frames):
            self._frames.clear()
            self._at = 0
        return Pulled("flood", 0, known=True, frames=frames, heads=heads)


def ports(runtime: FloodRuntime) -> Ports:
    """Return ports around it: a token is a user's name, an expense says how many turns each user gets."""

    def envelope(principal: Any, command_id: str | None, body: bytes) -> Envelope:
        return Envelope(principal.entity_id, command_id, body, Meta(principal.user_id))

    return Ports(
        runtime=runtime,
        verify=lambda token: _Who(token),
        overview=lambda principal: envelope(principal, None, b""),
        expense=lambda principal, body, _request: envelope(principal, f"flood-{time.monotonic_ns()}", body),
        problem=lambda _outcome: {},
        epoch=EPOCH,
    )


def build(config: RuntimeConfig | None = None) -> Any:
    """Return the live app around a flood: a builder for Serve's replica, a factory for uvicorn."""
    app = build_app(ports(FloodRuntime()))
    calm()
    return app
