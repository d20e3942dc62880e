"""Messages as bytes: msgpack, in which bodies and JSON answers travel as they are (`bytes`, never `Raw`)."""

from collections.abc import Sequence

from msgspec import msgpack

from actors.messages import Envelope, Meta, Outcome, Pull, Pulled

_ENCODER = msgpack.Encoder()
_ENVELOPES = msgpack.Decoder(list[Envelope])
_OUTCOMES = msgpack.Decoder(list[Outcome])
_PULL = msgpack.Decoder(Pull)
_PULLED = msgpack.Decoder(Pulled)
_META = msgpack.Decoder(Meta)
_UNKNOWN = Meta("")


def encode_meta(meta: Meta) -> bytes:
    """Return what the journal keeps beside a turn."""
    return _ENCODER.encode(meta)


def decode_meta(stored: bytes) -> Meta:
    """Return what `encode_meta` made, of any release; of nothing, a `Meta` that says nothing."""
    return _META.decode(stored) if stored else _UNKNOWN


def encode_envelopes(envelopes: Sequence[Envelope]) -> bytes:
    """Return envelopes as bytes."""
    return _ENCODER.encode(envelopes)


def decode_envelopes(blob: bytes) -> list[Envelope]:
    """Return what `encode_envelopes` made. Raises `msgspec.DecodeError`."""
    return _ENVELOPES.decode(blob)


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as bytes."""
    return _ENCODER.encode(outcomes)


def decode_outcomes(blob: bytes) -> list[Outcome]:
    """Return what `encode_outcomes` made. Raises `msgspec.DecodeError`."""
    return _OUTCOMES.decode(blob)


def encode_pull(request: Pull) -> bytes:
    """Return a pull as bytes."""
    return _ENCODER.encode(request)


def decode_pull(blob: bytes) -> Pull:
    """Return what `encode_pull` made. Raises `msgspec.DecodeError`."""
    return _PULL.decode(blob)


def encode_pulled(pulled: Pulled) -> bytes:
    """Return the answer to a pull as bytes."""
    return _ENCODER.encode(pulled)


def decode_pulled(blob: bytes) -> Pulled:
    """Return what `encode_pulled` made. Raises `msgspec.DecodeError`."""
    return _PULLED.decode(blob)
