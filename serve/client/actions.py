"""What the stream's state machine wants done; a shell (asyncio or blocking) does it."""

from msgspec import Struct

from serve.client.errors import LiveError
from serve.client.frames import Problem, Receipt, Snapshot, Turn


class Send(Struct, frozen=True):
    """Send a text on the open line."""

    text: str


class Deliver(Struct, frozen=True):
    """Give this to the application, after everything given before."""

    item: Turn | Snapshot


class Answer(Struct, frozen=True):
    """An expense is decided: one of the two is there."""

    id: str
    receipt: Receipt | None = None
    problem: Problem | None = None


class Renew(Struct, frozen=True):
    """Get a fresh token, then call `renewed` or `not_renewed`. The line goes on meanwhile."""


class Drop(Struct, frozen=True):
    """End the line without ceremony, then call `lost`."""

    reason: str


class Retry(Struct, frozen=True):
    """Wait, then get a token and connect again."""

    after_s: float
    reason: str


class Fail(Struct, frozen=True):
    """It is over: everybody who waits gets this error."""

    error: LiveError


Action = Send | Deliver | Answer | Renew | Drop | Retry | Fail
"""On an open line; `Retry` and `Fail` come only from what ends one."""
