"""The id of a request follows what it causes: turns, frames, letters; a timer's firing is a request of its own."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from msgspec import json, msgpack, structs

from actors.journal import Journal
from actors.messages import Envelope, Frame, Meta, Pull
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from actors.wire import decode_meta, encode_meta
from serve.live.protocol import encode_turn
from tests.support.counter import Remind, balance, command, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard
from tests.unit.actors.test_actors_letters import HERE, THERE, Wires, gift, host, opened, until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(params=["memory", "postgres"])
def open_journal(request: pytest.FixtureRequest) -> Callable[[], Journal]:
    """A way to open journals on one store."""
    store = MemoryStore()
    url = request.getfixturevalue("database_url") if request.param == "postgres" else ""
    return lambda: PostgresJournal(url) if url else MemoryJournal(store)


def asked(envelope: Envelope, request_id: str, trace: str = "") -> Envelope:
    """Return an envelope as a request with an id sends it."""
    return structs.replace(envelope, meta=Meta("asha", "user", request_id, trace))


async def heard(shard: EntityShard, gateway: str, after: int) -> list[Frame]:
    """Return what a gateway that was never here is told of `u` from the journal."""
    return (await shard.pull(Pull(gateway, "", 0, {"u": after}))).frames


async def test_a_frame_from_the_journal_is_the_one_from_the_feed_to_the_byte(
    open_journal: Callable[[], Journal],
) -> None:
    async with running_shard(open_journal()) as shard:
        begun = await shard.pull(Pull("g", "", 0, {"u": 0}))
        await shard.submit([asked(pay("u", "t1"), "req-1"), asked(pay("u", "t2"), "req-2", TRACE), pay("u", "t3")])
        fed = (await shard.pull(Pull("g", begun.incarnation, begun.cursor, wait_s=5.0))).frames
        read = await heard(shard, "h", 0)
    assert [encode_turn(frame) for frame in fed] == [encode_turn(frame) for frame in read]
    assert fed == read
    # The first command opens the entity first: that turn is of the same request.
    assert [(frame.request_id, frame.trace) for frame in fed] == [
        ("req-1", ""),
        ("req-1", ""),
        ("req-2", TRACE),
        ("", ""),
    ]
    assert [json.decode(encode_turn(frame)).get("request_id") for frame in fed] == ["req-1", "req-1", "req-2", None]


async def test_a_trace_changes_neither_the_identity_of_a_command_nor_the_chain() -> None:
    written = []
    for meta in (Meta("asha"), Meta("asha", "user", "req-1", TRACE)):
        journal = MemoryJournal()
        async with running_shard(journal) as shard:
            await shard.submit([structs.replace(pay("u", "t1"), meta=meta)])
        written.append([(row.command_id, row.input_hash, row.body, row.chain) for row in journal.store.rows["u"]])
    assert written[0] == written[1]


async def test_what_a_letter_does_is_of_the_request_that_sent_it() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([asked(gift(HERE, THERE, 300, 1, refusable=True, note="refused"), "req-9", TRACE)])
        await until(lambda: here.stats().messages_delivered == 1)
    ids = {row.command_id: decode_meta(row.meta) for user in (HERE, THERE) for row in store.rows[f"main/{user}"]}
    assert ids[f"xfer:{HERE}-1:credit"] == Meta(f"main/{HERE}", "letter", "req-9", TRACE)
    assert ids[f"xfer:{HERE}-1:credit:refused"] == Meta(f"main/{HERE}", "letter", "req-9", TRACE)


async def test_a_letter_of_a_turn_without_a_request_id_is_known_by_its_own() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([gift(HERE, THERE, 300, 1)])
        await until(lambda: here.stats().messages_delivered == 1)
    row, [sent] = store.commands[f"main/{THERE}", f"xfer:{HERE}-1:credit"], store.outbox
    assert decode_meta(row.meta).request_id == sent.outbox_id


async def test_a_timer_that_fires_is_a_request_of_its_own_and_each_try_the_same(
    open_journal: Callable[[], Journal],
) -> None:
    clock = FakeClock()
    async with running_shard(open_journal(), clock=clock) as shard:
        await shard.submit([asked(command("u", "set", Remind("bell", seconds=60)), "req-1")])
        clock.advance(61)
        shard.timers.nudge()
        await until(lambda: shard.stats().timers_fired == 1)
        assert [frame.request_id for frame in await heard(shard, "g", 0)] == [
            "req-1",
            "req-1",
            "timer:bell:2026-01-01T00:01:00Z",
        ]


async def test_a_read_that_opens_an_entity_does_it_for_its_request() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await shard.submit([asked(balance("u"), "req-3")])
    assert [decode_meta(row.meta).request_id for row in journal.store.rows["u"]] == ["req-3"]


async def test_twins_and_repeats_keep_the_request_id_of_the_first() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await asyncio.gather(*(shard.submit([asked(pay("u", "t1"), f"req-{n}")]) for n in range(3)))
        await shard.submit([asked(pay("u", "t1"), "req-late")])
    assert {decode_meta(row.meta).request_id for row in journal.store.rows["u"]} == {"req-0"}


async def test_at_debug_each_committed_turn_says_what_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "actors.shard"):
        async with running_shard(MemoryJournal()) as shard:
            await shard.submit([asked(pay("u", "t1", note="a secret word"), "req-4")])
    told = [vars(record)["about"] for record in caplog.records if "about" in vars(record)]
    assert told == [{"request_id": "req-4", "entity": "u", "seq": seq, "origin": "user"} for seq in (1, 2)]
    assert "secret" not in caplog.text


async def test_a_refused_letter_is_told_without_the_words_of_the_refusal(caplog: pytest.LogCaptureFixture) -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([asked(gift(HERE, THERE, 300, 1, note="refused"), "req-5")])
        await until(lambda: here.stats().messages_delivered == 1)
    [told] = [record for record in caplog.records if "was refused" in record.getMessage()]
    assert told.getMessage() == f"letter xfer:{HERE}-1:credit was refused by {THERE}: invalid"
    assert vars(told)["about"] == {"entity": f"main/{HERE}"}


def test_what_earlier_releases_kept_beside_a_turn_is_still_read() -> None:
    assert decode_meta(msgpack.encode(["asha", "user", "r1"])) == Meta("asha", "user", "r1")
    assert decode_meta(msgpack.encode(["asha"])) == Meta("asha")
    assert decode_meta(b"") == Meta("")
    assert decode_meta(encode_meta(Meta("a", "b", "c", TRACE))) == Meta("a", "b", "c", TRACE)
