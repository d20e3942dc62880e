"""The frames of subprotocol `boond.v1` as a client needs them.

The wire grows: unknown frames and fields are passed over. What is large (events, the
overview) stays undecoded until somebody looks at it.
"""

from functools import cached_property
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct, field

SUBPROTOCOL = "boond.v1"
Names = Literal["boond", "jatour"]
Receipt = dict[str, Any]
"""What became of an expense, as `POST /transactions` answers it."""
Problem = dict[str, Any]
"""An RFC 9457 document."""


class Unreadable(ValueError):
    """The text is a frame of a known type with a shape that type does not have, or no frame at all."""


class Position(Struct, frozen=True):
    """The last turn seen, of the stream `epoch`. Store it to resume later; it is JSON by `msgspec` as it stands."""

    epoch: str
    seq: int


class Event(Struct, frozen=True):
    """One event of a turn; `data` is a Receipt, an Alert or what else `type` names."""

    type: str
    data: dict[str, Any]


_events = msgspec.json.Decoder(list[Event])
_overview = msgspec.json.Decoder(dict[str, Any])


class Turn(Struct, frozen=True, dict=True, tag_field="t", tag="turn"):
    """One committed turn; `at` is RFC 3339. `request_id` is of the request that made it, where the server says so."""

    seq: int
    at: str
    raw: Raw = field(name="events")
    request_id: str | None = None

    @cached_property
    def events(self) -> list[Event]:
        """The events in order."""
        return _events.decode(self.raw)


class Snapshot(Struct, frozen=True, dict=True):
    """The overview as of `seq`. With `reset` it voids what was known before: what lay between cannot be replayed."""

    seq: int
    raw: Raw
    reset: bool

    @cached_property
    def data(self) -> dict[str, Any]:
        """The overview, as `GET /overview` answers it."""
        return _overview.decode(self.raw)


class Hello(Struct, frozen=True, tag_field="t", tag="hello"):
    """The server's first word."""

    heartbeat_s: float


class Ready(Struct, frozen=True, tag_field="t", tag="ready"):
    """Subscribed; `head` is the last committed turn."""

    epoch: str
    head: int
    resumed: bool


class Overview(Struct, frozen=True, tag_field="t", tag="snapshot"):
    """A snapshot on the wire."""

    seq: int
    data: Raw


class Reset(Struct, frozen=True, tag_field="t", tag="reset"):
    """What was asked for is gone; a snapshot follows."""

    head: int


class Heartbeat(Struct, frozen=True, tag_field="t", tag="heartbeat"):
    """Alive, and the last committed turn."""

    head: int


class Expiring(Struct, frozen=True, tag_field="t", tag="expiring"):
    """The token ends soon."""


class Accepted(Struct, frozen=True, tag_field="t", tag="receipt"):
    """An expense is committed."""

    id: str
    data: Receipt


class Rejected(Struct, frozen=True, tag_field="t", tag="error"):
    """An expense changed nothing."""

    id: str
    problem: Problem


ServerFrame = Hello | Ready | Overview | Turn | Reset | Heartbeat | Expiring | Accepted | Rejected
KNOWN = frozenset({"hello", "ready", "snapshot", "turn", "reset", "heartbeat", "expiring", "receipt", "error"})


class _Tag(Struct):
    t: str


_decoder: msgspec.json.Decoder[ServerFrame] = msgspec.json.Decoder(ServerFrame)
_tags = msgspec.json.Decoder(_Tag)
_encoder = msgspec.json.Encoder()


def decode(text: str | bytes) -> ServerFrame | None:
    """Return the frame, None for one of a type that this client does not know. Raises `Unreadable`."""
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        try:
            if _tags.decode(text).t not in KNOWN:
                return None
        except (ValueError, RecursionError):
            pass
        raise Unreadable(f"not a frame of {SUBPROTOCOL}: {error}") from error


def auth(kind: str, secret: str, resume: Position | None = None, names: Names = "boond") -> str:
    """Return an auth frame; `kind` is `token` or `ticket`."""
    frame: dict[str, Any] = {"t": "auth", kind: secret}
    if resume is not None:
        frame["resume"] = resume
    if names != "boond":
        frame["names"] = names
    return _encoder.encode(frame).decode()


def resume(seq: int) -> str:
    """Return the frame that asks again for what follows `seq`."""
    return _encoder.encode({"t": "resume", "seq": seq}).decode()


def expense(id_: str, data: dict[str, Any]) -> str:
    """Return an expense frame. Raises `TypeError` for what is no JSON."""
    return _encoder.encode({"t": "expense", "id": id_, "data": data}).decode()
