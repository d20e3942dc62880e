"""What can end a live stream, and what to do about it.

LiveError
├── Unauthenticated   another token, or a callable that gives fresh ones
├── Forbidden         another kind of account, another server
├── BadFrame          what was sent or received does not fit: see the message
├── Unreachable       no stream in the time allowed: check the address, try later
├── StreamReset       turns are gone: take `snapshot`, then iterate again
├── Refused           this expense was refused: see `problem`; the stream goes on
└── Closed            the block of `connect` is over
"""

from serve.client.frames import Problem, Snapshot
from serve.client.retry import FORBIDDEN, UNAUTHENTICATED


class LiveError(Exception):
    """Base of everything the client raises by itself."""


class Unauthenticated(LiveError):
    """The server does not take the token. With a callable a fresh one was tried too."""


class Forbidden(LiveError):
    """The token is good, but not for this: a live stream belongs to role `user`, and a socket to one user."""


class BadFrame(LiveError):
    """One side sent what the other cannot take. Trying again unchanged would end the same way."""


class Unreachable(LiveError):
    """No stream came about within the limit; the message has the last reason. Nothing is lost: resume later."""


class StreamReset(LiveError):
    """The stream began anew (a restored journal, or a position beyond it): turns before `snapshot` are not replayed.

    Raised by an iteration over turns, in the place of the gap. Rebuild from `snapshot` and iterate again; `frames()`
    gives the snapshot as an item instead.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(f"the stream begins anew after turn {snapshot.seq}: take the snapshot, then iterate again")
        self.snapshot = snapshot


class Refused(LiveError):
    """An expense changed nothing; `problem` is its RFC 9457 document. The same again would be refused again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.get('status')} {problem.get('detail') or problem.get('title')}")
        self.problem = problem


class Closed(LiveError):
    """The stream is closed: its `with` block is over, or not entered yet."""


def of_close(code: int | None, reason: str) -> LiveError:
    """Return the error of a close code that forbids another try."""
    said = f"closed with {code}: {reason}" if reason else f"closed with {code}"
    if code == UNAUTHENTICATED:
        return Unauthenticated(f"{said}. Log in again; a callable as token is asked for fresh ones by itself")
    if code == FORBIDDEN:
        return Forbidden(f"{said}. A live stream belongs to role user")
    return BadFrame(f"{said}. The same again would end the same way")
