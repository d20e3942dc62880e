"""Identifiers sort by the order they were made in."""

import random
from uuid import UUID

from actors.ids import Uuid7


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
