"""What every journal must do with messages: kept in order, put off by entity, deleted once delivered."""

from datetime import timedelta

from msgspec import structs

from actors.journal import Journal, JournalError, SentMessage
from actors.slots import shard_of
from engine.behaviour import OutboxRow, Rows
from tests.contract.conftest import OpenJournal
from tests.support.rows import AT, turn

LATER = AT + timedelta(days=1)


def sending(*ids: str, channel: str = "log") -> Rows:
    """Return the rows of a turn that sends."""
    return Rows(outbox=[OutboxRow(outbox_id, channel, outbox_id.encode()) for outbox_id in ids])


async def waiting(journal: Journal, entities: int = 99, each: int = 99, channel: str = "log") -> list[list[str]]:
    """Return what waits, by entity."""
    found = await journal.waiting_messages(0, 1, channel, AT, entities, each)
    return [[message.outbox_id for message in messages] for messages in found]


async def test_messages_come_by_entity_in_the_order_of_sending_up_to_a_bound(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    assert await waiting(journal) == []
    await journal.commit(0, term, [turn("u", 1, rows=sending("z", "a")), turn("v", 1, rows=sending("b"))])
    await journal.commit(0, term, [turn("u", 2, rows=sending("c")), turn("w", 1, rows=sending("d", channel="other"))])
    assert sorted(await waiting(journal)) == [["b"], ["z", "a", "c"]]
    assert sorted(await waiting(journal, each=2)) == [["b"], ["z", "a"]]
    assert len(await waiting(journal, entities=1)) == 1
    assert await waiting(journal, channel="other") == [["d"]]
    [[message]] = await journal.waiting_messages(0, 1, "other", AT, 9, 9)
    assert message == SentMessage("w", "other", 1, 0, "d", b"d", AT, 0, turn("w", 1).row.meta)


async def test_lines_of_a_channel_wait_for_themselves_alone(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=sending("a", channel="log/x"))])
    await journal.commit(0, term, [turn("u", 2, rows=sending("b", channel="log/y"))])
    await journal.commit(0, term, [turn("u", 3, rows=sending("c", channel="log/x"))])
    await journal.commit(0, term, [turn("u", 4, rows=sending("d", channel="logs"))])
    assert sorted(await waiting(journal)) == [["a", "c"], ["b"]]
    first = next(m[0] for m in await journal.waiting_messages(0, 1, "log", AT, 9, 9) if m[0].outbox_id == "a")
    await journal.park_message(0, term, first, LATER)
    assert await waiting(journal) == [["b"]]
    await journal.drop_messages(0, term, [first])
    assert sorted(await waiting(journal)) == [["b"], ["c"]]


async def test_the_same_id_may_be_sent_again(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=sending("a")), turn("u", 2, rows=sending("a", "a"))])
    assert await waiting(journal) == [["a", "a", "a"]]


async def test_delivered_messages_are_deleted_one_by_one(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=sending("a", "b", "c")), turn("v", 1, rows=sending("a"))])
    mine = next(m for m in await journal.waiting_messages(0, 1, "log", AT, 9, 9) if m[0].entity_id == "u")
    await journal.drop_messages(0, term, [mine[0], mine[2]])
    assert sorted(await waiting(journal)) == [["a"], ["b"]]


async def test_a_parked_message_holds_up_those_behind_it_and_nobody_else(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("u", 1, rows=sending("a", "b")), turn("v", 1, rows=sending("c"))])
    [first] = [m[0] for m in await journal.waiting_messages(0, 1, "log", AT, 9, 9) if m[0].entity_id == "u"]
    await journal.park_message(0, term, first, LATER)
    await journal.commit(0, term, [turn("u", 2, rows=sending("d", channel="log"))])
    assert await waiting(journal) == [["c"]]
    again = await journal.waiting_messages(0, 1, "log", LATER, 9, 9)
    mine = next(m for m in again if m[0].entity_id == "u")
    assert mine[0] == structs.replace(first, tries=1)
    assert [message.outbox_id for message in mine] == ["a", "b", "d"]


async def test_a_stale_term_deletes_and_parks_no_message(open_journal: OpenJournal) -> None:
    old, new = open_journal(), open_journal()
    stale = await old.claim(0, 1, "old")
    await old.commit(0, stale, [turn("u", 1, rows=sending("a"))])
    [[message]] = await old.waiting_messages(0, 1, "log", AT, 9, 9)
    await new.claim(0, 1, "new")
    try:
        await old.drop_messages(0, stale, [message])
        await old.park_message(0, stale, message, LATER)
    except JournalError:
        pass
    assert await new.waiting_messages(0, 1, "log", AT, 9, 9) == [[message]]


async def test_a_shard_sees_the_messages_of_its_own_slots(journal: Journal) -> None:
    term = await journal.claim(0, 3, "a")
    entities = [f"main/u{i}" for i in range(30)]
    await journal.commit(0, term, [turn(entity_id, 1, rows=sending("a")) for entity_id in entities])
    for shard in range(3):
        found = await journal.waiting_messages(shard, 3, "log", AT, 99, 9)
        assert {m[0].entity_id for m in found} == {e for e in entities if shard_of(e, 3) == shard}
