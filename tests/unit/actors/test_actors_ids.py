"""Identifiers sort by the order they were made in."""

import random
from uuid import UUID

from actors.ids import Entropy, Uuid7


def test_ids_are_uuids_of_version_7_that_carry_their_millisecond() -> None:
    made = UUID(Uuid7(lambda: 0x0123456789AB, random.Random(1).getrandbits)())
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == 0x0123456789AB


def test_ids_ascend_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    times = iter([5] * 6_000 + [4] * 6_000 + [6, 7])
    generate = Uuid7(lambda: next(times), random.Random(2).getrandbits)
    made = [generate() for _ in range(12_002)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_entropy_is_fetched_ahead_and_no_byte_of_it_is_used_twice() -> None:
    fetched: list[bytes] = []

    def source(count: int) -> bytes:
        fetched.append(bytes(range(len(fetched) * count, (len(fetched) + 1) * count)))
        return fetched[-1]

    bits = Entropy(source, ahead_bytes=16)
    drawn = [bits(64).to_bytes(8) for _ in range(4)]
    assert b"".join(drawn) == b"".join(fetched) == bytes(range(32))


def test_entropy_gives_as_many_bits_as_were_asked_for() -> None:
    bits = Entropy(lambda count: b"\xff" * count)
    assert [bits(wanted) for wanted in (1, 11, 62)] == [1, 2**11 - 1, 2**62 - 1]
