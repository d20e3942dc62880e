"""Identifiers that sort by the time they were made: UUID version 7 (RFC 9562), monotonic within one generator."""

from collections.abc import Callable
from os import urandom

_COUNTER_MAX = 0xFFF


class Uuid7:
    """A generator of UUIDv7 strings; the clock (milliseconds since 1970) and the randomness come from outside.

    `rand_a` is a counter seeded at random each millisecond (RFC 9562, 6.2, method 1); when it overflows, or when the
    clock steps back, the generator runs ahead of the clock rather than repeat itself or go back.
    """

    def __init__(self, now_ms: Callable[[], int], random_bits: Callable[[int], int]) -> None:
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._ms = 0
        self._counter = 0

    def __call__(self) -> str:
        now = self._now_ms()
        if now > self._ms:
            self._ms, self._counter = now, self._random_bits(11)
        elif self._counter < _COUNTER_MAX:
            self._counter += 1
        else:
            self._ms, self._counter = self._ms + 1, self._random_bits(11)
        tail = f"{self._random_bits(62) | 1 << 63:016x}"
        head = f"{self._ms:012x}"
        return f"{head[:8]}-{head[8:]}-7{self._counter:03x}-{tail[:4]}-{tail[4:]}"


class Entropy:
    """Random bits from the system, fetched some hundred ids ahead: a system call an id costs as much as the id.

    Not to be shared with a forked child, which would repeat its parent.
    """

    def __init__(self, source: Callable[[int], bytes] = urandom, ahead_bytes: int = 4096) -> None:
        self._source = source
        self._ahead_bytes = ahead_bytes
        self._pool = b""
        self._at = 0

    def __call__(self, bits: int) -> int:
        """Return so many random bits, at most 64."""
        at = self._at
        if at >= len(self._pool):
            self._pool, at = self._source(self._ahead_bytes), 0
        self._at = at + 8
        return int.from_bytes(self._pool[at : at + 8]) >> (64 - bits)
