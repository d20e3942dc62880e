"""Lists from the read model: newest first, page by page, filtered."""

from datetime import datetime, timedelta

import pytest

from actors.connections import pool
from actors.postgres import PostgresJournal
from actors.read_model import ReadModel
from engine.behaviour import AlertRow, RecordRow, Rows
from tests.support.counter import Counter
from tests.support.rows import AT, transaction, turn


@pytest.fixture
async def filled(database_url: str) -> str:
    """A database with ten transactions and three alerts of a user, and one of another."""
    journal = PostgresJournal(database_url)
    term = await journal.claim(0, 1, "a")
    rows = [
        transaction(
            f"t{i}",
            b"sealed-%d" % i,
            occurred_at=AT + timedelta(days=i // 2),
            category="food" if i % 2 else "fuel",
            status="reversed" if i == 9 else "settled",
        )
        for i in range(10)
    ]
    alerts = [AlertRow(f"a{i}", 1, "large", None, AT + timedelta(days=i), b"alert-%d" % i) for i in range(3)]
    await journal.commit(
        0, term, [turn("u", 1, rows=Rows(rows, alerts)), turn("v", 1, rows=Rows([transaction("x", b"x")]))]
    )
    await journal.close()
    return database_url


async def test_pages_follow_one_another_without_gaps(filled: str) -> None:
    async with pool(filled, "test") as connections:
        model = ReadModel(connections, Counter())
        first = await model.transactions("u", limit=4)
        assert [row.row_id for row in first] == ["t9", "t8", "t7", "t6"]
        rest = await model.transactions("u", limit=50, before=(first[-1].at, first[-1].row_id))
        assert [row.row_id for row in rest] == ["t5", "t4", "t3", "t2", "t1", "t0"]
        assert first[0].sealed == b"sealed-9"


async def test_filters_narrow_the_list(filled: str) -> None:
    async with pool(filled, "test") as connections:
        model = ReadModel(connections, Counter())
        day = timedelta(days=1)
        assert [r.row_id for r in await model.transactions("u", limit=9, from_=AT + day, to=AT + 2 * day)] == [
            "t3",
            "t2",
        ]
        assert [r.row_id for r in await model.transactions("u", limit=2, category="food")] == ["t9", "t7"]
        assert [r.row_id for r in await model.transactions("u", limit=9, status="reversed")] == ["t9"]


async def test_hidden_statuses_are_left_out_and_do_not_shorten_a_page(filled: str) -> None:
    async with pool(filled, "test") as connections:
        model = ReadModel(connections, Counter())
        shown = await model.transactions("u", limit=2, hidden=["reversed", "deleted"])
        assert [row.row_id for row in shown] == ["t8", "t7"]


async def test_another_entity_sees_only_its_own(filled: str) -> None:
    async with pool(filled, "test") as connections:
        model = ReadModel(connections, Counter())
        assert [row.row_id for row in await model.transactions("v", limit=9)] == ["x"]
        assert await model.transaction("v", "t1") is None
        found = await model.transaction("u", "t1")
        assert found is not None
        assert (found.sealed, found.seq) == (b"sealed-1", 1)


async def test_alerts_are_listed_newest_first(filled: str) -> None:
    async with pool(filled, "test") as connections:
        model = ReadModel(connections, Counter())
        first = await model.alerts("u", limit=2)
        assert [row.row_id for row in first] == ["a2", "a1"]
        assert [row.sealed for row in await model.alerts("u", before=(first[-1].at, first[-1].row_id))] == [b"alert-0"]


def due(record_id: str, at: datetime, state: str = "open", kind: str = "instruction", amount: int = 1) -> RecordRow:
    """Return a record."""
    return RecordRow(kind, record_id, state, at, amount, "INR", b"sealed " + record_id.encode())


async def test_records_are_listed_over_all_users_of_a_tenant(database_url: str) -> None:
    journal, day = PostgresJournal(database_url), timedelta(days=1)
    term = await journal.claim(0, 1, "a")
    rows = {
        "main/u": [due("i1", AT + day), due("i2", AT), due("o", AT, kind="other")],
        "main/v": [due("i3", AT), due("i4", AT + 2 * day, "done")],
        "else/u": [due("i5", AT)],
    }
    await journal.commit(0, term, [turn(entity_id, 1, rows=Rows(records=some)) for entity_id, some in rows.items()])
    async with pool(database_url, "test") as connections:
        model = ReadModel(connections, Counter())
        listed = await model.records("main", "instruction", limit=2, state="open")
        assert [(r.entity_id, r.record_id) for r in listed] == [("main/u", "i2"), ("main/v", "i3")]
        last = (listed[-1].at, listed[-1].entity_id, listed[-1].record_id)
        [following] = await model.records("main", "instruction", limit=2, state="open", after=last)
        assert (following.record_id, following.amount, following.currency, following.sealed, following.seq) == (
            "i1",
            1,
            "INR",
            b"sealed i1",
            1,
        )
        assert [r.record_id for r in await model.records("main", "instruction", limit=9)] == ["i2", "i3", "i1", "i4"]
        between = await model.records("main", "instruction", limit=9, from_=AT + day, to=AT + 2 * day)
        assert [r.record_id for r in between] == ["i1"]
        found = await model.record("main", "instruction", "i4")
        assert found is not None
        assert (found.entity_id, found.state) == ("main/v", "done")
        assert await model.record("main", "instruction", "i5") is None
    await journal.close()


async def test_a_record_written_again_replaces_itself_also_within_a_commit(database_url: str) -> None:
    journal = PostgresJournal(database_url)
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("main/u", 1, rows=Rows(records=[due("i1", AT)]))])
    changes = [due("i1", AT, "sent"), due("i1", AT + timedelta(days=1), "done", amount=7)]
    await journal.commit(0, term, [turn("main/u", n, rows=Rows(records=[row])) for n, row in enumerate(changes, 2)])
    async with pool(database_url, "test") as connections:
        model = ReadModel(connections, Counter())
        assert await model.records("main", "instruction", limit=9, state="open") == []
        [done] = await model.records("main", "instruction", limit=9, state="done")
        assert (done.at, done.amount, done.seq) == (AT + timedelta(days=1), 7, 3)
    await journal.close()
