"""Slots: the fixed address space between entity ids and shards.

The number of slots and the hash are part of the stored format (tables are keyed and partitioned by slot) and never
change; the number of shards may.
"""

from zlib import crc32

SLOTS = 4096


def slot_of(entity_id: str) -> int:
    """Return the slot of an entity, 0 to 4,095: the same in every process and release."""
    return crc32(entity_id.encode()) & (SLOTS - 1)


def shard_of_slot(slot: int, shards: int) -> int:
    """Return the shard of a slot when there are `shards` of them: contiguous ranges that differ by one slot at most."""
    return slot * shards // SLOTS


def slots_of(shard: int, shards: int) -> tuple[int, int]:
    """Return the first and the last slot of a shard when there are `shards` of them: `shard_of_slot` the other way."""
    return -(-shard * SLOTS // shards), -(-(shard + 1) * SLOTS // shards) - 1


def shard_of(entity_id: str, shards: int) -> int:
    """Return the shard of an entity when there are `shards` of them."""
    return shard_of_slot(slot_of(entity_id), shards)
