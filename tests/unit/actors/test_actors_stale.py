"""Memory is only a cache: a stale incarnation answers nothing from it, and a damaged snapshot costs only a replay."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import json, structs
from typing_extensions import override

from actors.journal import JournalDown, TurnWrite
from actors.limits import Limits
from actors.messages import Outcome
from tests.support.counter import TakeBack, balance, command, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard

ALWAYS_ASK = Limits(lease_s=0.0)


def body(outcome: Outcome) -> Any:
    """Return the JSON answer."""
    assert outcome.body is not None, outcome
    return json.decode(outcome.body)


@pytest.mark.parametrize("limits", [ALWAYS_ASK, Limits(lease_s=0.02)])
async def test_a_read_after_a_take_over_is_never_answered_from_the_memory_of_the_former_owner(limits: Limits) -> None:
    store = MemoryStore()
    fenced: list[str] = []
    async with running_shard(MemoryJournal(store), limits=limits, fenced=fenced) as old:
        await old.submit([pay("u", "t1", 100)])
        assert body((await old.submit([balance("u")]))[0])["balance"] == 100
        async with running_shard(MemoryJournal(store), limits=limits) as new:
            assert body((await new.submit([pay("u", "t2", 50)]))[0])["balance"] == 150
            [stale] = await old.submit([balance("u")])
            assert body((await new.submit([balance("u")]))[0])["balance"] == 150
    assert (stale.status, stale.body) == ("unavailable", None)
    assert fenced == ["fenced"]


async def test_neither_is_a_refusal_that_rests_on_that_memory() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store), limits=ALWAYS_ASK) as old:
        await old.submit([balance("u")])
        async with running_shard(MemoryJournal(store), limits=ALWAYS_ASK) as new:
            await new.submit([pay("u", "t1")])
            [outcome] = await old.submit([command("u", "back", TakeBack("t9"))])
    assert outcome.status == "unavailable"


async def test_while_the_term_cannot_be_confirmed_reads_are_unavailable() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=ALWAYS_ASK) as shard:
        await shard.submit([pay("u", "t1")])
        journal.confirm_error = JournalDown("gone")
        [outcome] = await shard.submit([balance("u")])
        assert outcome.status == "unavailable"
        [outcome] = await shard.submit([balance("u")])
        assert body(outcome)["balance"] == 100


async def test_within_the_lease_reads_do_not_ask_the_journal() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(lease_s=60.0)) as shard:
        await shard.submit([pay("u", "t1")])
        asked = journal.confirmed
        for _ in range(5):
            await shard.submit([balance("u")])
        assert journal.confirmed == asked


async def test_commands_of_a_poisoned_batch_keep_their_order_when_an_entity_is_passivated_meanwhile() -> None:
    clock = FakeClock()

    class Sweeping(MemoryJournal):
        """Sweeps once, while the first half of the poisoned batch is about to be redone."""

        @override
        async def confirm(self, shard: int, term: int) -> None:
            if self.rejected == 1:
                self.rejected += 1
                clock.advance(1_000)
                incarnation.sweep()
            await super().confirm(shard, term)

        rejected = 0

    journal = Sweeping()

    def refuse(write: TurnWrite) -> bool:
        poison = any(row.amount == 13 for row in write.rows.transactions)
        journal.rejected += poison
        return poison

    journal.rejects = refuse
    async with running_shard(journal, clock=clock, limits=ALWAYS_ASK) as incarnation:
        poison, *others = await incarnation.submit([pay("u", "t0", 13), *(pay("v", f"t{i}") for i in range(1, 4))])
    assert (poison.status, [outcome.seq for outcome in others]) == ("refused", [2, 3, 4])


@pytest.mark.parametrize(
    "damage",
    [
        lambda snapshot: structs.replace(snapshot, body=b"\1\0\0\xff"),
        lambda snapshot: structs.replace(snapshot, body=b""),
        lambda snapshot: structs.replace(snapshot, chain=b"other"),
    ],
)
async def test_a_snapshot_that_cannot_be_used_costs_a_replay_and_nothing_else(damage: Callable[[Any], Any]) -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store)) as shard:
        for i in range(3):
            await shard.submit([pay("u", f"t{i}")])
        await shard.drain()
    async with running_shard(MemoryJournal(store)) as shard:
        await shard.submit([pay("u", "t3")])
    assert store.snapshots["u"].seq == 4
    store.snapshots["u"] = damage(store.snapshots["u"])
    async with running_shard(MemoryJournal(store)) as shard:
        outcomes = await shard.submit([balance("u"), pay("u", "t4"), pay("v", "t1")])
    assert [outcome.status for outcome in outcomes] == ["read", "done", "done"]
    assert body(outcomes[0])["balance"] == 400
    assert body(outcomes[1])["balance"] == 500
