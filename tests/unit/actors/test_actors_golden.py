"""A shard of this release on a data folder that an earlier one left (`tests/golden/README.md`)."""

import msgspec
import pytest
from msgspec import json

from actors import chain, codec
from actors.journal import JournalRow, Snapshot
from actors.messages import Envelope, Meta
from actors.slots import slot_of
from engine.hosting import UserBehaviour
from engine.queries import GetOverview
from tests.support import golden
from tests.support.golden import Life, differences
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard

LONGEST = [
    pytest.param(max(golden.lives(path), key=lambda life: len(life.turns)), id=path.name) for path in golden.files()
]


def left_behind(life: Life) -> MemoryStore:
    """Return what the release would have left: the journal, and a snapshot of a schema that is no longer read."""
    store = MemoryStore()
    rows = store.rows[life.entity_id] = []
    slot, digest = slot_of(life.entity_id), chain.genesis(life.entity_id)
    for seq, turn in enumerate(life.turns, start=1):
        body = codec.pack(turn.body)
        digest = chain.link(digest, seq, f"c{seq}", body)
        rows.append(JournalRow(slot, life.entity_id, seq, f"c{seq}", b"", turn.at, body, digest, b""))
    body = codec.pack(b"of another shape")
    last = len(life.turns)
    store.snapshots[life.entity_id] = Snapshot(slot, life.entity_id, last, digest, "user/0", life.read_at, body)
    return store


@pytest.mark.parametrize("life", LONGEST)
async def test_an_old_journal_is_activated_and_its_snapshot_of_another_schema_ignored(life: Life) -> None:
    journal = MemoryJournal(left_behind(life))
    clock = FakeClock()
    clock.at = life.read_at
    query = Envelope(life.entity_id, None, msgspec.msgpack.encode(GetOverview()), Meta("tests"))
    async with running_shard(journal, behaviour=UserBehaviour(), clock=clock) as shard:
        [outcome] = await shard.submit([query])
    assert outcome.body is not None, outcome
    assert list(differences(life.overview, json.decode(outcome.body))) == []
