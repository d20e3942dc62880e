"""The frames of subprotocol `boond.v1`: JSON text, told apart by `t`.

Unknown fields are ignored, unknown frames refused. What the shard made ready as JSON (receipts, events, the overview)
passes through as `Raw`, never decoded here.
"""

from enum import IntEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from actors.messages import Frame
from serve.live.names import Names

SUBPROTOCOL = "boond.v1"


class CloseCode(IntEnum):
    """40xx: do not retry unchanged; 41xx: back off, then resume; 42xx: reconnect now, jittered."""

    INTERNAL = 1011
    UNAUTHENTICATED = 4001
    FORBIDDEN = 4003
    BAD_FRAME = 4008
    TOO_SLOW = 4108
    TOO_MANY = 4129
    MOVING = 4200


CLOSES: dict[CloseCode, tuple[str, str]] = {
    CloseCode.INTERNAL: ("our fault, or a ticket that cannot be checked now", "back off, reconnect with resume"),
    CloseCode.UNAUTHENTICATED: ("bad, missing, late or expired token or ticket", "a fresh one first"),
    CloseCode.FORBIDDEN: ("another role or user, an origin that is not allowed", "do not retry"),
    CloseCode.BAD_FRAME: ("no frame of the protocol, binary, too large, a flood", "do not retry; mend the client"),
    CloseCode.TOO_SLOW: ("this socket does not read fast enough", "reconnect with resume"),
    CloseCode.TOO_MANY: ("too many sockets: of the user, on the server, of an address, waiting", "back off, jittered"),
    CloseCode.MOVING: ("the server is moving", "reconnect at once, jittered, with resume"),
}
"""Why a socket is closed, and what its client does then."""


def _of(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


_SHOWN = {"type": "object", "anyOf": [_of("Receipt"), _of("AlertView"), {"description": "what the event is about"}]}
_EVENT = {"type": "object", "required": ["type", "data"], "properties": {"type": {"type": "string"}, "data": _SHOWN}}


class FrameRefused(ValueError):
    """The text is not a frame of this protocol; the message says what was expected."""


class Position(Struct, frozen=True):
    """How far a client has seen: the last `seq` of the stream `epoch`; 0 is before the first turn."""

    epoch: str
    seq: int


class Auth(Struct, frozen=True, tag_field="t", tag="auth"):
    """The first frame: a token or a ticket; later on the same socket, a fresh one for the same user.

    The first one's `resume` and `names` hold.
    """

    token: str | None = None
    ticket: str | None = None
    resume: Position | None = None
    names: Names = "boond"


class Resume(Struct, frozen=True, tag_field="t", tag="resume"):
    """Send again what follows `seq`, on this socket."""

    seq: int


class Expense(Struct, frozen=True, tag_field="t", tag="expense"):
    """A transaction as `POST /transactions` takes it; `id` comes back with the answer."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    data: Annotated[Raw, Meta(extra_json_schema=_of("TransactionRequest"))]


class Ack(Struct, frozen=True, tag_field="t", tag="ack"):
    """Every turn up to `seq` is taken in. One below an earlier ack changes nothing. Delivery never depends on it."""

    seq: Annotated[int, Meta(ge=0)]


ClientFrame = Auth | Resume | Expense | Ack
_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)


class Hello(Struct, frozen=True, tag_field="t", tag="hello"):
    """The server's first word."""

    heartbeat_s: float


class Ready(Struct, frozen=True, tag_field="t", tag="ready"):
    """The socket is subscribed; `head` is the last committed turn. Not resumed: a snapshot follows."""

    epoch: str
    head: int
    resumed: bool


class Snapshot(Struct, frozen=True, tag_field="t", tag="snapshot"):
    """The overview as of `seq`; the next turn is `seq` + 1."""

    seq: int
    data: Annotated[Raw, Meta(extra_json_schema=_of("Overview"))]


class Turn(Struct, frozen=True, tag_field="t", tag="turn", omit_defaults=True):
    """One committed turn. `request_id`: that of the request, the expense frame or the timer that caused it."""

    seq: int
    at: str
    events: Annotated[Raw, Meta(extra_json_schema={"type": "array", "items": _EVENT})]
    request_id: str = ""


class Reset(Struct, frozen=True, tag_field="t", tag="reset"):
    """What the client asked for cannot be replayed: forget, and take the snapshot that follows."""

    head: int


class Heartbeat(Struct, frozen=True, tag_field="t", tag="heartbeat"):
    """Alive. `head` is the turn a client has when it has taken in all that was sent before: with less, it resumes."""

    head: int


class Expiring(Struct, frozen=True, tag_field="t", tag="expiring"):
    """The token ends at `at` (RFC 3339)."""

    at: str


class Receipt(Struct, frozen=True, tag_field="t", tag="receipt"):
    """The answer of an expense that is committed."""

    id: str
    data: Annotated[Raw, Meta(extra_json_schema=_of("Receipt"))]


class Error(Struct, frozen=True, tag_field="t", tag="error"):
    """The answer of an expense that changed nothing: an RFC 9457 problem."""

    id: str
    problem: Annotated[dict[str, Any], Meta(extra_json_schema=_of("Problem"))]


ServerFrame = Hello | Ready | Snapshot | Turn | Reset | Heartbeat | Expiring | Receipt | Error
_encoder = msgspec.json.Encoder()


def decode(text: str) -> ClientFrame:
    """Decode one inbound text; raises `FrameRefused`."""
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise FrameRefused(f"not a frame of {SUBPROTOCOL}: {error}") from error


def encode(frame: ServerFrame) -> str:
    """Encode one outbound frame."""
    return _encoder.encode(frame).decode()


def encode_turn(frame: Frame) -> str:
    """Encode a committed turn; its events are JSON already."""
    return encode(Turn(frame.seq, frame.at, Raw(bytes(frame.events)), frame.request_id))


def problem(status: int, title: str, detail: str, **extra: str | int | float) -> dict[str, Any]:
    """Return an RFC 9457 document for what the gateway itself has to refuse."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
