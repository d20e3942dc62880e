"""Slots never change: tables are keyed by them."""

from collections import Counter

from actors.slots import SLOTS, shard_of, shard_of_slot, slot_of


def test_the_hash_is_part_of_the_stored_format() -> None:
    assert [slot_of(entity) for entity in ("main/asha", "main/ben", "")] == [3007, 2423, 0]


def test_a_slot_belongs_to_exactly_one_shard_and_shards_differ_by_one_slot_at_most() -> None:
    for shards in (1, 2, 3, 7, 64):
        sizes = Counter(shard_of_slot(slot, shards) for slot in range(SLOTS))
        assert set(sizes) == set(range(shards))
        assert max(sizes.values()) - min(sizes.values()) <= 1


def test_entities_spread_over_shards() -> None:
    sizes = Counter(shard_of(f"main/user-{i}", 4) for i in range(4_000))
    assert min(sizes.values()) > 800
