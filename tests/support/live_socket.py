"""A client of the live gateway over no network: a `Wire` that a test types into and reads from."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.messages import Envelope, Meta, Outcome
from actors.runtime import Runtime
from serve.live.gateway import Gateway
from serve.live.outbound import Disconnected
from serve.live.ports import Clock, ExpenseRefused, Ports, Principal, TicketsAway, TokenRefused
from serve.live.protocol import problem
from tests.support.manual_clock import settle

EPOCH = "stream-1"


@dataclass(frozen=True)
class Person:
    """A principal: the token `asha@600` is user asha's, and ends in 600 s."""

    user_id: str
    expires_at: float
    role: str = "user"

    @property
    def entity_id(self) -> str:
        return f"main/{self.user_id}"


class Wire:
    """The client's end of a socket; `pause` makes it stop reading."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self._inbound: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._reading = asyncio.Event()
        self._reading.set()

    async def receive(self) -> str | bytes:
        message = await self._inbound.get()
        if message is None:
            raise Disconnected
        return message

    def put(self, text: str) -> bool:
        if self._reading.is_set():
            self.frames.append(json.loads(text))
        return self._reading.is_set()

    async def send(self, text: str) -> None:
        await self._reading.wait()
        self.frames.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        await self._reading.wait()
        self.closed = (code, reason)

    def type(self, message: str | bytes | dict[str, Any] | None) -> None:
        """Put a message on the way to the server; None hangs up."""
        self._inbound.put_nowait(json.dumps(message) if isinstance(message, dict) else message)

    def pause(self) -> None:
        self._reading.clear()

    def unpause(self) -> None:
        self._reading.set()


class Client:
    """A socket served by a gateway, and what its user sees."""

    def __init__(self, gateway: Gateway, address: str = "") -> None:
        self.wire = Wire()
        self.task = asyncio.create_task(gateway.serve(self.wire, address))

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.wire.frames

    @property
    def code(self) -> int | None:
        return self.wire.closed[0] if self.wire.closed else None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [f for f in self.frames if f["t"] == kind]

    @property
    def seqs(self) -> list[int]:
        return [f["seq"] for f in self.of("turn")]

    async def say(self, message: str | bytes | dict[str, Any] | None) -> None:
        self.wire.type(message)
        await settle()

    async def auth(self, token: str, seq: int | None = None, epoch: str = EPOCH) -> None:
        resume = {} if seq is None else {"resume": {"epoch": epoch, "seq": seq}}
        await self.say({"t": "auth", "token": token, **resume})

    async def leave(self) -> None:
        """Go as under Serve: the handler is cancelled the moment the client is gone."""
        self.task.cancel()
        await settle()


def ports(runtime: Runtime, clock: Clock) -> Ports:
    """Return ports around a runtime, with tokens of the form `user@seconds` or `user@seconds@role`.

    A ticket is `ticket:` and a token, good once; `away` is one that nobody can check, `never` one without an answer.
    """
    spent: set[str] = set()

    def verify(token: str) -> Principal:
        user, _, rest = token.partition("@")
        seconds, _, role = rest.partition("@")
        if not user or not seconds:
            raise TokenRefused("not a token of ours")
        return Person(user, clock.now() + float(seconds), role or "user")

    async def redeem(ticket: str) -> Principal:
        await asyncio.sleep(0)
        if ticket == "never":
            await asyncio.Event().wait()
        if ticket == "away":
            raise TicketsAway("the table of spent tickets cannot be reached")
        if ticket in spent or not ticket.startswith("ticket:"):
            raise TokenRefused("the ticket is spent or not ours")
        spent.add(ticket)
        return verify(ticket.removeprefix("ticket:"))

    def overview(principal: Principal) -> Envelope:
        return Envelope(principal.entity_id, None, b"\xc0", Meta(principal.user_id))

    def expense(principal: Principal, data: bytes, request_id: str) -> Envelope:
        try:
            body = msgspec.json.decode(data, type=dict[str, Any])
            meta = Meta(principal.user_id, request_id=request_id)
            return Envelope(principal.entity_id, str(body["external_id"]), b"\xc0", meta)
        except (msgspec.MsgspecError, KeyError) as error:
            raise ExpenseRefused(problem(422, "Invalid", f"external_id: {error}")) from error

    def refusal(outcome: Outcome) -> dict[str, Any]:
        return problem(409, "Conflict", outcome.problem.detail if outcome.problem else "")

    return Ports(
        runtime=runtime,
        verify=verify,
        redeem=redeem,
        overview=overview,
        expense=expense,
        problem=refusal,
        epoch=EPOCH,
        clock=clock,
        jitter=lambda: 1.0,
    )
