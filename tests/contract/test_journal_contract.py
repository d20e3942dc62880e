"""What every journal must do: held against the in-memory double and real Postgres alike."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from actors.chain import genesis
from actors.journal import (
    Conflict,
    DataRejected,
    Fenced,
    Journal,
    JournalDown,
    Question,
    Snapshot,
)
from actors.slots import slot_of
from engine.behaviour import AlertRow, OutboxRow, RecordRow, Rows, TimerRow
from tests.contract.conftest import OpenJournal
from tests.support.rows import AT, transaction, turn


def snapshot(entity_id: str, seq: int, schema: str = "s1", body: bytes = b"state") -> Snapshot:
    """Return a snapshot of the turn that `turn(entity_id, seq)` writes."""
    return Snapshot(slot_of(entity_id), entity_id, seq, turn(entity_id, seq).row.chain, schema, AT, body)


async def test_turns_are_read_back_as_they_were_written(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    written = [turn("u", 1), turn("v", 1), turn("u", 2)]
    await journal.commit(0, term, written)
    reading = await journal.read(Question(["s1"], ["u", "v", "nobody"]))
    assert [stored.seq for stored in reading.tails["u"]] == [1, 2]
    first, row = reading.tails["v"][0], written[1].row
    assert (first.command_id, first.at, first.body, first.chain) == (row.command_id, row.at, row.body, row.chain)
    assert "nobody" not in reading.tails
    assert reading.snapshots == {}


async def test_facts_are_command_ids_and_transactions(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, "tx:a", Rows([transaction("t1", b"sealed")]))])
    reading = await journal.read(
        Question(["s1"], [], [("u", "tx:a"), ("v", "tx:a"), ("u", "tx:b")], [("u", "t1"), ("v", "t1")])
    )
    assert set(reading.commands) == {("u", "tx:a")}
    known = reading.commands["u", "tx:a"]
    assert (known.seq, known.input_hash, known.at, known.body) == (1, b"hash-1", AT, b"body-1")
    assert reading.transactions == {("u", "t1"): b"sealed"}


async def test_a_transaction_is_found_by_who_reported_it_under_which_id(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    rows = Rows([transaction("t1", b"one", external_id="E1"), transaction("t2", b"two", external_id="E:1, 'x'\u0915")])
    await journal.commit(0, term, [turn("u", 1, rows=rows)])
    await journal.commit(0, term, [turn("u", 2, rows=Rows([transaction("t1", b"one again", external_id="E1")]))])
    there = [("u", "user", "test", "E:1, 'x'\u0915"), ("u", "user", "test", "E1")]
    absent = [("v", "user", "test", "E1"), ("u", "service:a", "test", "E1"), ("u", "user", "tes", "E1")]
    reading = await journal.read(Question(["s1"], identities=[*absent, *there]))
    assert reading.identities == {there[0]: b"two", there[1]: b"one again"}
    assert reading.transactions == {}
    together = await journal.read(Question(["s1"], ["u"], [("u", "tx:1")], [("u", "t1")], [there[1]]))
    assert len(together.tails["u"]) == 2
    assert set(together.commands) == {("u", "tx:1")}
    assert together.transactions == {("u", "t1"): b"one again"}
    assert together.identities == {there[1]: b"one again"}


async def test_the_last_of_several_versions_of_a_transaction_in_one_batch_wins(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    versions = [turn("u", n, rows=Rows([transaction("t1", b"v%d" % n)])) for n in (1, 2)]
    await journal.commit(0, term, versions)
    await journal.commit(0, term, [turn("u", 3, rows=Rows([transaction("t1", b"v3"), transaction("t2", b"w3")]))])
    reading = await journal.read(Question(["s1"], [], [], [("u", "t1"), ("u", "t2")]))
    assert reading.transactions == {("u", "t1"): b"v3", ("u", "t2"): b"w3"}


async def test_every_leg_of_the_commit_is_taken(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    rows = Rows(
        [transaction("t1", b"x")],
        [AlertRow("a1", 1, "large", None, AT, b"x")],
        [TimerRow("ring", AT, b"x"), TimerRow("gone", AT, None)],
        [OutboxRow("o1", "log", b"x")],
        [RecordRow("instruction", "i1", "open", AT, 5, "INR", b"x")],
    )
    await journal.commit(
        0, term, [turn("u", 1, rows=rows), turn("u", 2, rows=Rows(timers=[TimerRow("ring", AT, None)]))]
    )
    assert await journal.heads(["u"]) == {"u": 2}


async def test_a_taken_seq_or_command_id_is_a_conflict_and_nothing_is_written(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1)])
    for taken in (turn("u", 1, "tx:other"), turn("u", 2, "tx:1")):
        with pytest.raises(Conflict):
            await journal.commit(0, term, [turn("v", 1), taken])
    assert await journal.heads(["u", "v"]) == {"u": 1, "v": 0}


async def test_what_the_storage_refuses_is_named_and_nothing_is_written(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    for bad in (turn("u", 1, "tx:\0"), turn("u", 1, rows=Rows([transaction("\0", b"")]))):
        with pytest.raises(DataRejected):
            await journal.commit(0, term, [turn("v", 1), bad])
    with pytest.raises(DataRejected):
        await journal.read(Question(["s1"], [], [("u", "tx:\0")]))
    await journal.commit(0, term, [turn("v", 1)])
    assert await journal.heads(["u", "v"]) == {"u": 0, "v": 1}


async def test_a_stale_term_commits_nothing(open_journal: OpenJournal) -> None:
    old, new = open_journal(), open_journal()
    stale = await old.claim(0, 1, "old")
    await old.commit(0, stale, [turn("u", 1)])
    term = await new.claim(0, 1, "new")
    assert term == stale + 1
    with pytest.raises(Fenced):
        await _persist(lambda: old.commit(0, stale, [turn("u", 2)]), old, stale)
    await new.commit(0, term, [turn("u", 2, "tx:new")])
    assert (await new.histories([("u", 1)], 9))["u"][0].command_id == "tx:new"


async def test_a_stale_term_is_not_confirmed(open_journal: OpenJournal) -> None:
    old, new = open_journal(), open_journal()
    stale = await old.claim(0, 1, "a")
    await old.confirm(0, stale)
    term = await new.claim(0, 1, "b")
    await new.confirm(0, term)
    with pytest.raises(Fenced):
        await old.confirm(0, stale)


async def test_shards_do_not_fence_each_other(open_journal: OpenJournal) -> None:
    one, two = open_journal(), open_journal()
    first, second = await one.claim(0, 2, "one"), await two.claim(1, 2, "two")
    await one.commit(0, first, [turn("u", 1)])
    await two.commit(1, second, [turn("v", 1)])
    assert await one.heads(["u", "v"]) == {"u": 1, "v": 1}


async def test_resuming_keeps_the_term_and_a_stale_one_cannot_resume(open_journal: OpenJournal) -> None:
    old, new = open_journal(), open_journal()
    stale = await old.claim(0, 1, "old")
    await old.resume(0, stale)
    await old.commit(0, stale, [turn("u", 1)])
    term = await new.claim(0, 1, "new")
    with pytest.raises(Fenced):
        await _persist(lambda: old.resume(0, stale), old, stale)
    await new.commit(0, term, [turn("u", 2)])


async def test_a_snapshot_shortens_the_tail(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", n) for n in (1, 2, 3)])
    await journal.save_snapshots([snapshot("u", 2)])
    reading = await journal.read(Question(["s1"], ["u"]))
    assert reading.snapshots["u"] == snapshot("u", 2)
    assert [stored.seq for stored in reading.tails["u"]] == [3]


async def test_a_snapshot_of_another_schema_is_ignored_and_an_older_one_not_kept(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", n) for n in (1, 2, 3)])
    await journal.save_snapshots([snapshot("u", 3)])
    await journal.save_snapshots([snapshot("u", 2, body=b"older")])
    assert (await journal.read(Question(["s1"], ["u"]))).snapshots["u"].seq == 3
    assert len((await journal.read(Question(["s2"], ["u"]))).tails["u"]) == 3
    await journal.save_snapshots([snapshot("u", 2, "s2")])
    assert (await journal.read(Question(["s2"], ["u"]))).snapshots["u"].seq == 2


async def test_a_snapshot_that_the_journal_does_not_bear_out_is_not_used(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("ahead", n) for n in (1, 2)] + [turn("other", n) for n in (1, 2)])
    lost = structs.replace(snapshot("other", 2), chain=genesis("other"))
    await journal.save_snapshots([snapshot("ahead", 3), lost])
    reading = await journal.read(Question(["s1"], ["ahead", "other"]))
    assert reading.snapshots == {}
    assert [stored.seq for stored in reading.tails["ahead"]] == [1, 2]
    assert [stored.seq for stored in reading.tails["other"]] == [1, 2]


async def test_history_is_bounded_and_in_order(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", n) for n in range(1, 8)] + [turn("v", 1)])
    found = await journal.histories([("u", 2), ("v", 0), ("nobody", 0)], 3)
    assert {entity: [stored.seq for stored in turns] for entity, turns in found.items()} == {"u": [3, 4, 5], "v": [1]}
    assert await journal.heads(["u", "nobody"]) == {"u": 7, "nobody": 0}


async def _persist(statement: Callable[[], Awaitable[None]], journal: Journal, term: int) -> None:
    """Do as a shard does: a take-over ends the old backend, so the first word may be that the connection is lost."""
    try:
        await statement()
    except JournalDown:
        await journal.resume(0, term)
        await statement()
