"""One socket's conversation as a state machine: text in, effects out. No I/O; time comes from the clock it is given.

GREETED --token--> ENTERING --entered--> OPEN --ticket--> RENEWING --admit--> OPEN
GREETED --ticket--> VERIFYING --admit--> ENTERING
A token on an OPEN socket renews at once. Any of them --close--> CLOSED, in which everything is ignored. While a ticket
is checked nothing is received: whoever reads waits for `admit` or `refuse`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from msgspec import Struct

from serve.live.allowance import Allowance
from serve.live.limits import Limits
from serve.live.names import Names
from serve.live.ports import Clock, Principal, TokenRefused
from serve.live.protocol import (
    Ack,
    Auth,
    ClientFrame,
    CloseCode,
    Error,
    Expense,
    Expiring,
    FrameRefused,
    Hello,
    Position,
    Resume,
    ServerFrame,
    decode,
    problem,
)


class Phase(Enum):
    """Where the conversation is; the value is what it waits for."""

    GREETED = "auth"
    VERIFYING = "the check of the ticket"
    ENTERING = "the server's ready"
    OPEN = "resume, expense, ack or auth"
    RENEWING = "the check of the new ticket"
    CLOSED = "nothing"


class Send(Struct, frozen=True):
    """Send a frame."""

    frame: ServerFrame


class Close(Struct, frozen=True):
    """Close the socket once what was sent before is out."""

    code: CloseCode
    reason: str


class Redeem(Struct, frozen=True):
    """Check a ticket, then call `admit` or `refuse`; receive nothing before."""

    ticket: str
    auth: Auth


class Enter(Struct, frozen=True):
    """Subscribe this user, then answer ready."""

    principal: Principal
    resume: Position | None
    names: Names = "boond"


class Renew(Struct, frozen=True):
    """The same user showed a fresh token: confirm it. The stream goes on where it is."""


class Recover(Struct, frozen=True):
    """Send again what follows `seq`."""

    principal: Principal
    seq: int


class Spend(Struct, frozen=True):
    """Carry out an expense."""

    principal: Principal
    id: str
    body: bytes


class Beat(Struct, frozen=True):
    """A heartbeat is due."""


class Acked(Struct, frozen=True):
    """The client has taken in every turn up to `seq`."""

    seq: int


Effect = Send | Close | Redeem | Enter | Renew | Recover | Spend | Beat | Acked
_CHECKING = (Phase.VERIFYING, Phase.RENEWING)


class Session:
    """The protocol's side of one socket."""

    def __init__(
        self, verify: Callable[[str], Principal], limits: Limits, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        self._verify, self._limits, self._clock, self._jitter = verify, limits, clock, jitter
        start = clock.monotonic()
        self._allowance = Allowance(limits.frames_per_s, limits.frames_burst, start)
        self.phase = Phase.GREETED
        self.principal: Principal | None = None
        self.due = start + limits.auth_s
        """When `tick` has something to do next (monotonic)."""
        self._ends = self._warns = self._beats = self._answer = float("inf")

    def greet(self) -> list[Effect]:
        """Return the server's first word."""
        return [Send(Hello(self._limits.heartbeat_s))]

    def receive(self, message: str | bytes) -> list[Effect]:
        """Take one inbound message."""
        if self.phase is Phase.CLOSED:
            return []
        if self.phase in _CHECKING:
            raise RuntimeError(f"nothing is received now; this socket waits for {self.phase.value}")
        left = self._allowance.take(self._clock.monotonic())
        if self._allowance.flooded:
            return self.close(CloseCode.BAD_FRAME, f"more than {self._limits.frames_per_s:g} frames a second")
        if isinstance(message, bytes):
            return self.close(CloseCode.BAD_FRAME, "frames are JSON text, not binary")
        # A character is at least a byte: the cheap test first, so that an oversized text is never encoded.
        limit = self._limits.frame_bytes_max
        if len(message) > limit or len(message.encode("utf-8", "surrogatepass")) > limit:
            return self.close(CloseCode.BAD_FRAME, f"a frame has at most {limit} bytes")
        try:
            frame = decode(message)
        except FrameRefused as refusal:
            return self.close(CloseCode.BAD_FRAME, str(refusal))
        return self._take(frame, left >= 0)

    def entered(self) -> None:
        """The server is subscribed and says ready: heartbeats begin."""
        if self.phase is not Phase.ENTERING:
            raise RuntimeError(f"ready only after auth; this socket waits for {self.phase.value}")
        self.phase = Phase.OPEN
        self._beats = self._clock.monotonic() + self._limits.heartbeat_s * self._jitter()
        self._schedule()

    def admit(self, principal: Principal, auth: Auth) -> list[Effect]:
        """The ticket of `auth` is good, and speaks for `principal`."""
        if self.phase is Phase.CLOSED:
            return []
        self._checked()
        return self._welcome(principal, auth)

    def refuse(self, code: CloseCode, reason: str) -> list[Effect]:
        """The ticket is not good, or nobody can tell."""
        if self.phase is Phase.CLOSED:
            return []
        self._checked()
        return self.close(code, reason)

    def close(self, code: CloseCode, reason: str) -> list[Effect]:
        """End the conversation; nothing is taken in after this."""
        if self.phase is Phase.CLOSED:
            return []
        self.phase = Phase.CLOSED
        self.due = float("inf")
        return [Close(code, reason)]

    def tick(self) -> list[Effect]:
        """Do what is due: a late auth, a token that ends or is about to, a heartbeat."""
        at = self._clock.monotonic()
        if self.phase is Phase.CLOSED or at < self.due:
            return []
        if self.phase is Phase.GREETED:
            return self.close(CloseCode.UNAUTHENTICATED, f"no auth within {self._limits.auth_s:g} s")
        if at >= self._answer:
            return self.close(CloseCode.INTERNAL, "the ticket cannot be checked now; come back with another one")
        if at >= self._ends:
            return self.close(CloseCode.UNAUTHENTICATED, "the token has expired")
        effects: list[Effect] = []
        if at >= self._warns and self.phase is not Phase.ENTERING and self.principal is not None:
            self._warns = float("inf")
            effects.append(Send(Expiring(datetime.fromtimestamp(self.principal.expires_at, UTC).isoformat())))
        if at >= self._beats:
            self._beats = at + self._limits.heartbeat_s
            effects.append(Beat())
        self._schedule()
        return effects

    def _take(self, frame: ClientFrame, allowed: bool) -> list[Effect]:
        if isinstance(frame, Auth):
            return self._authenticate(frame)
        if self.principal is None:
            return self.close(CloseCode.UNAUTHENTICATED, "the first frame must be auth")
        match frame:
            case Expense(id=id_, data=body):
                return [Spend(self.principal, id_, bytes(body)) if allowed else Send(Error(id_, self._too_fast()))]
            case Resume(seq=seq):
                if self.phase is not Phase.OPEN:
                    return self.close(CloseCode.BAD_FRAME, f"resume too early: wait for {self.phase.value}")
                return [Recover(self.principal, seq)]
            case Ack(seq=seq):
                if self.phase is not Phase.OPEN:
                    return self.close(CloseCode.BAD_FRAME, f"ack too early: wait for {self.phase.value}")
                return [Acked(seq)]

    def _authenticate(self, auth: Auth) -> list[Effect]:
        if self.phase is Phase.ENTERING:
            return self.close(CloseCode.BAD_FRAME, f"auth twice: wait for {self.phase.value}")
        if (auth.token is None) == (auth.ticket is None):
            return self.close(CloseCode.UNAUTHENTICATED, "auth needs a token or a ticket, one of them")
        if auth.ticket is not None:
            return self._check(auth.ticket, auth)
        try:
            principal = self._verify(auth.token or "")
        except TokenRefused as refusal:
            return self.close(CloseCode.UNAUTHENTICATED, str(refusal))
        return self._welcome(principal, auth)

    def _check(self, ticket: str, auth: Auth) -> list[Effect]:
        self.phase = Phase.VERIFYING if self.phase is Phase.GREETED else Phase.RENEWING
        self._answer = self._clock.monotonic() + self._limits.redeem_s
        self._schedule()
        return [Redeem(ticket, auth)]

    def _checked(self) -> None:
        if self.phase not in _CHECKING:
            raise RuntimeError(f"no ticket is being checked; this socket waits for {self.phase.value}")
        self.phase = Phase.GREETED if self.phase is Phase.VERIFYING else Phase.OPEN
        self._answer = float("inf")
        self._schedule()

    def _welcome(self, principal: Principal, auth: Auth) -> list[Effect]:
        if principal.role != "user":
            return self.close(CloseCode.FORBIDDEN, f"a live stream belongs to role user, not {principal.role}")
        if self.principal is not None and principal.entity_id != self.principal.entity_id:
            return self.close(CloseCode.FORBIDDEN, "a socket keeps its user; open another one")
        return self._accept(principal, auth)

    def _accept(self, principal: Principal, auth: Auth) -> list[Effect]:
        at, left_s = self._clock.monotonic(), principal.expires_at - self._clock.now()
        if left_s <= 0:
            return self.close(CloseCode.UNAUTHENTICATED, "the token has expired")
        self.principal = principal
        self._ends, self._warns = at + left_s, at + left_s - self._limits.expiring_s
        first = self.phase is Phase.GREETED
        if first:
            self.phase = Phase.ENTERING
        self._schedule()
        return [Enter(principal, auth.resume, auth.names) if first else Renew()]

    def _schedule(self) -> None:
        # Until `ready` an `auth` is too early, so nobody is asked for one.
        warns = float("inf") if self.phase is Phase.ENTERING else self._warns
        self.due = min(self._ends, warns, self._beats, self._answer)

    def _too_fast(self) -> dict[str, Any]:
        detail = f"at most {self._limits.frames_per_s:g} frames a second on one socket"
        return problem(429, "Too Many Requests", detail, retry_after_s=1)
