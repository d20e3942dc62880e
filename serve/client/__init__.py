"""The live stream for Python programs: `from serve.client import connect`.

It resumes by itself, gives every turn once and in order, and holds no more than `Limits` says. `serve.client.blocking`
is the same for threads and greenlets. Needs msgspec and websockets only. See docs/client.md.
"""

from serve.client.aio import Live, connect
from serve.client.errors import (
    BadFrame,
    Closed,
    Forbidden,
    LiveError,
    Refused,
    StreamReset,
    Unauthenticated,
    Unreachable,
)
from serve.client.frames import Event, Position, Receipt, Snapshot, Turn
from serve.client.limits import Limits

__all__ = [
    "BadFrame",
    "Closed",
    "Event",
    "Forbidden",
    "Limits",
    "Live",
    "LiveError",
    "Position",
    "Receipt",
    "Refused",
    "Snapshot",
    "StreamReset",
    "Turn",
    "Unauthenticated",
    "Unreachable",
    "connect",
]
