"""What the live gateway needs from the rest of Boond; the composition root fills it in."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from actors.messages import Envelope, Outcome
from actors.runtime import Runtime
from serve.live.measures import LiveMeasures


class TokenRefused(Exception):
    """The token is malformed, expired, revoked or not ours. The message is shown to the client."""


class TicketsAway(Exception):
    """Whether the ticket is good cannot be known now: the client comes back later, with another one."""


class ExpenseRefused(Exception):
    """An expense cannot become a command; `problem` is its RFC 9457 document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail", problem.get("title", ""))))
        self.problem = problem


class Principal(Protocol):
    """Who a token speaks for."""

    @property
    def entity_id(self) -> str:
        """`tenant/user`."""

    @property
    def user_id(self) -> str:
        """The user within the tenant."""

    @property
    def role(self) -> str:
        """`user`, `service` or `admin`; only the first has a stream."""

    @property
    def expires_at(self) -> float:
        """When the token ends, in seconds since the epoch."""


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> float:
        """Seconds since the epoch; only for comparing with what a token says."""

    def monotonic(self) -> float:
        """Seconds that never jump; for every deadline."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)


async def no_tickets(_ticket: str) -> Principal:
    """Refuse every ticket, where none are issued."""
    raise TokenRefused("no tickets are issued here; send a token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The gateway's surroundings.

    `verify` raises `TokenRefused`; it runs on the loop, so it must be quick. `redeem` spends a ticket, once for all
    gateways; it raises `TokenRefused`, or `TicketsAway` when nobody can tell now. `overview` makes the query whose
    answer is the snapshot and which opens an unknown user. `expense` decodes the body as `POST /transactions` does,
    under a request id, and raises `ExpenseRefused`. `problem` turns a refused outcome into an RFC 9457 document.
    `epoch` is the journal's stream id.
    """

    runtime: Runtime
    verify: Callable[[str], Principal]
    overview: Callable[[Principal], Envelope]
    expense: Callable[[Principal, bytes, str], Envelope]
    problem: Callable[[Outcome], dict[str, Any]]
    epoch: str
    redeem: Callable[[str], Awaitable[Principal]] = no_tickets
    clock: Clock = field(default_factory=SystemClock)
    measures: LiveMeasures = field(default_factory=LiveMeasures)
    jitter: Callable[[], float] = random.random
    """0 to 1: which part of the first heartbeat's period passes, so that a storm's sockets do not beat at once."""
