"""The envelope of stored bytes: codec version and key id before whatever the behaviour encoded.

The key id is there from the first day, so that encryption changes no format: 0 means in clear.
"""

from struct import Struct

CODEC = 1
CLEAR = 0

_HEAD = Struct(">BH")


class UnknownCodec(Exception):
    """Stored bytes of a codec or a key this release does not know: written by a newer one, or damaged."""


def pack(encoded: bytes) -> bytes:
    """Return the stored form of what a behaviour encoded."""
    return _HEAD.pack(CODEC, CLEAR) + encoded


def unpack(stored: bytes) -> memoryview:
    """Return what the behaviour encoded, without copying it. Raises `UnknownCodec`."""
    if len(stored) < _HEAD.size:
        raise UnknownCodec(f"stored body of {len(stored)} bytes is shorter than its head of {_HEAD.size}")
    codec, key = _HEAD.unpack_from(stored)
    if codec != CODEC or key != CLEAR:
        raise UnknownCodec(f"codec {codec} with key {key}: this release reads codec {CODEC} with key {CLEAR}")
    return memoryview(stored)[_HEAD.size :]
