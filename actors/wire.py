"""Messages as bytes: msgpack around bodies that stay as they are.

Answers and frames carry JSON in a `Raw`, which an encoder would write verbatim; inside msgpack they travel as binary.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Raw, Struct, msgpack

from actors.messages import Envelope, Frame, Meta, Outcome, Problem, Pull, Pulled


class _Envelope(Struct, frozen=True, array_like=True):
    """An envelope as decoded: msgspec does not decode `Raw | None`, so an absent opening is the raw nil."""

    entity_id: str
    command_id: str | None
    body: Raw
    meta: Meta
    opening: Raw
    kind: str


class _Outcome(Struct, frozen=True, array_like=True, gc=False):
    status: Literal["done", "replayed", "read", "refused", "unavailable"]
    seq: int
    body: bytes | None
    problem: Problem | None


class _Frame(Struct, frozen=True, array_like=True, gc=False):
    entity_id: str
    seq: int
    at: str
    events: bytes


class _Pulled(Struct, frozen=True, array_like=True):
    incarnation: str
    cursor: int
    known: bool
    frames: list[_Frame]
    heads: dict[str, int]


_ENCODER = msgpack.Encoder()
_ENVELOPES = msgpack.Decoder(list[_Envelope])
_NIL = b"\xc0"
_OUTCOMES = msgpack.Decoder(list[_Outcome])
_PULL = msgpack.Decoder(Pull)
_PULLED = msgpack.Decoder(_Pulled)


def encode_envelopes(envelopes: Sequence[Envelope]) -> bytes:
    """Return envelopes as bytes; their bodies are msgpack and travel as they are."""
    return _ENCODER.encode(envelopes)


def decode_envelopes(blob: bytes) -> list[Envelope]:
    """Return what `encode_envelopes` made. Raises `msgspec.DecodeError`."""
    return [
        Envelope(e.entity_id, e.command_id, e.body, e.meta, None if bytes(e.opening) == _NIL else e.opening, e.kind)
        for e in _ENVELOPES.decode(blob)
    ]


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as bytes."""
    return _ENCODER.encode(
        [_Outcome(o.status, o.seq, None if o.body is None else bytes(o.body), o.problem) for o in outcomes]
    )


def decode_outcomes(blob: bytes) -> list[Outcome]:
    """Return what `encode_outcomes` made. Raises `msgspec.DecodeError`."""
    return [
        Outcome(o.status, o.seq, None if o.body is None else Raw(o.body), o.problem) for o in _OUTCOMES.decode(blob)
    ]


def encode_pull(request: Pull) -> bytes:
    """Return a pull as bytes."""
    return _ENCODER.encode(request)


def decode_pull(blob: bytes) -> Pull:
    """Return what `encode_pull` made. Raises `msgspec.DecodeError`."""
    return _PULL.decode(blob)


def encode_pulled(pulled: Pulled) -> bytes:
    """Return the answer to a pull as bytes."""
    frames = [_Frame(f.entity_id, f.seq, f.at, bytes(f.events)) for f in pulled.frames]
    return _ENCODER.encode(_Pulled(pulled.incarnation, pulled.cursor, pulled.known, frames, pulled.heads))


def decode_pulled(blob: bytes) -> Pulled:
    """Return what `encode_pulled` made. Raises `msgspec.DecodeError`."""
    pulled = _PULLED.decode(blob)
    frames = [Frame(f.entity_id, f.seq, f.at, Raw(f.events)) for f in pulled.frames]
    return Pulled(pulled.incarnation, pulled.cursor, pulled.known, frames, pulled.heads)
