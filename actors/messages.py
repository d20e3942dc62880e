"""What crosses a process boundary between a client and a shard: envelopes in, outcomes out. msgpack, positional."""

from typing import Any, Literal

from msgspec import Struct

from actors.cause import about
from engine.behaviour import FieldError

LETTER = "letter"
"""The origin of a command that another entity's turn sent: nobody is there to be told that it cannot be read."""


class Meta(Struct, frozen=True, array_like=True):
    """Who asked, through what, under which request: kept beside the turn in the journal.

    It is in no hash and in no chain, so it may grow fields at its end.
    """

    principal: str
    origin: str = "user"
    request_id: str = ""
    trace: str = ""
    """The `traceparent` this goes on from; empty unless the request is traced."""


class Envelope(Struct, frozen=True, array_like=True):
    """One command or one query for one entity.

    `command_id` is None for a query. `opening` is the encoded defaults with which an unknown entity is opened first.
    """

    entity_id: str
    command_id: str | None
    body: bytes
    meta: Meta
    opening: bytes | None = None
    final: bool = False
    """Keep a refusal in the journal, under the command id: it is the same whenever the command comes again."""


class Problem(Struct, frozen=True, array_like=True):
    """Why a command was refused. `code`: one of `engine.behaviour.Refused`, or key_reused, unavailable, poison."""

    code: str
    detail: str
    errors: list[FieldError] = []
    extra: dict[str, str | int | bool | None] = {}


class Outcome(Struct, frozen=True, array_like=True):
    """What became of an envelope. `body` is the JSON answer for `done`, `replayed` and `read`.

    `replayed`: this command id had already been carried out with the same input; the answer is the first one's, marked
    as a duplicate. `unavailable` is the only status to retry, with the same command id.
    """

    status: Literal["done", "replayed", "read", "refused", "unavailable"]
    seq: int = 0
    body: bytes | None = None
    problem: Problem | None = None


class Frame(Struct, frozen=True, array_like=True):
    """One committed turn on its way to sockets: `events` is JSON as `Behaviour.push` made it, `at` RFC 3339."""

    entity_id: str
    seq: int
    at: str
    events: bytes
    request_id: str = ""
    """What caused the turn, as its `Meta` says."""
    trace: str = ""


def about_turn(frame: Frame) -> dict[str, Any]:
    """Return what a log line says of a turn."""
    return about(entity=frame.entity_id, seq=frame.seq, request_id=frame.request_id)


class Pull(Struct, frozen=True, array_like=True):
    """A gateway's long-poll. `cursor` is a position in the ring of this shard incarnation; 0 and "" to begin.

    A pull that carries subscriptions, or that follows another of the same gateway, makes the older one return at once.
    """

    gateway: str
    incarnation: str
    cursor: int
    subscribe: dict[str, int] = {}
    unsubscribe: list[str] = []
    wait_s: float = 10.0


class Pulled(Struct, frozen=True, array_like=True):
    """Frames since the cursor, in `seq` order a user. `known` is False when the whole set must be sent again."""

    incarnation: str
    cursor: int
    known: bool
    frames: list[Frame] = []
    heads: dict[str, int] = {}
    """Head seq of each user subscribed by this pull, as committed when the subscription took effect."""
