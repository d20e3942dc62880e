"""The turn loop: one effect a command, nothing out before its commit, and one's trouble is not another's."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import json, structs

from actors.journal import Conflict, Fenced, JournalDown
from actors.limits import Limits
from actors.messages import Envelope, Outcome
from actors.shard import EntityShard
from tests.support.counter import Guess, Open, Pay, Remind, TakeBack, TakeBackNamed, balance, command, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import FakeClock, running_shard


def body(outcome: Outcome) -> Any:
    """Return the JSON answer."""
    assert outcome.body is not None, outcome
    return json.decode(outcome.body)


def code(outcome: Outcome) -> str:
    """Return why it was refused."""
    assert outcome.problem is not None, outcome
    return outcome.problem.code


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def settled() -> None:
    """Let everything that can run, run."""
    for _ in range(50):
        await asyncio.sleep(0)


async def one(shard: EntityShard, envelope: Envelope) -> Outcome:
    """Submit one envelope."""
    return (await shard.submit([envelope]))[0]


async def test_a_command_is_one_turn_and_the_first_opens_the_entity() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        outcome = await one(shard, pay("u", "t1"))
    assert (outcome.status, outcome.seq) == ("done", 2)
    assert [(row.seq, row.command_id) for row in journal.store.rows["u"]] == [(1, "open"), (2, "tx:t1")]


async def test_a_query_opens_an_unknown_entity_and_waits_for_that_commit() -> None:
    journal = MemoryJournal()
    journal.gate.clear()
    async with running_shard(journal) as shard:
        reading = asyncio.create_task(one(shard, balance("u")))
        await until(lambda: shard.stats().active == 1)
        assert not reading.done()
        journal.gate.set()
        outcome = await reading
    assert (outcome.status, body(outcome)) == ("read", {"balance": 0, "turns": 1, "seq": 1})


async def test_without_defaults_an_unknown_entity_is_not_opened() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        assert code(await one(shard, balance("u", opening=False))) == "not_found"
    assert journal.store.rows == {}


async def test_the_same_command_again_has_the_first_answer_marked_as_a_duplicate() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        first = await one(shard, pay("u", "t1"))
        again = await one(shard, pay("u", "t1"))
        later = [await one(shard, pay("u", "t2")), await one(shard, pay("u", "t1"))][1]
    assert (again.status, again.seq) == ("replayed", first.seq)
    assert body(again) == body(later) == {**body(first), "duplicate": True}
    assert len(journal.store.rows["u"]) == 3


async def test_the_same_command_in_the_next_incarnation_is_a_duplicate_too() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store)) as shard:
        first = await one(shard, pay("u", "t1"))
    async with running_shard(MemoryJournal(store)) as shard:
        again = await one(shard, pay("u", "t1"))
    assert (again.status, body(again)) == ("replayed", {**body(first), "duplicate": True})


async def test_twins_in_one_batch_and_in_flight_await_the_same_commit() -> None:
    journal = MemoryJournal()
    journal.gate.clear()
    async with running_shard(journal) as shard:
        together = asyncio.create_task(shard.submit([pay("u", "t1"), pay("u", "t1")]))
        await until(lambda: shard.stats().active == 1)
        in_flight = asyncio.create_task(one(shard, pay("u", "t1")))
        other = asyncio.create_task(one(shard, pay("u", "t1", 999)))
        await until(lambda: shard.stats().queued == 0)
        await settled()
        assert not together.done()
        assert not in_flight.done()
        assert not other.done()
        journal.gate.set()
        first, twin = await together
        assert [first.status, twin.status, (await in_flight).status] == ["done", "replayed", "replayed"]
        assert body(twin) == body(await in_flight) == {**body(first), "duplicate": True}
        assert code(await other) == "key_reused"
    assert len(journal.store.rows["u"]) == 2


async def test_the_same_id_with_another_input_is_refused() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await one(shard, pay("u", "t1", 100))
        assert code(await one(shard, pay("u", "t1", 200))) == "key_reused"
        assert body(await one(shard, balance("u")))["balance"] == 100


async def test_a_refusal_writes_nothing_and_burns_no_id() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        refused = await one(shard, command("u", "k", Pay("t1", 0)))
        assert (code(refused), refused.problem and refused.problem.errors[0].field) == ("invalid", "amount")
        assert len(journal.store.rows["u"]) == 1
        assert (await one(shard, command("u", "k", Pay("t1", 5)))).status == "done"


async def test_a_refusal_that_changed_something_is_a_turn_and_the_same_command_gets_it_again() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        first, again = [await one(shard, command("u", "guess-1", Guess())) for _ in range(2)]
        assert (code(first), code(again)) == ("forbidden", "forbidden")
        assert body(await one(shard, balance("u")))["balance"] == 1
    assert [row.command_id for row in journal.store.rows["u"]] == ["open", "guess-1"]


async def test_what_cannot_be_decoded_is_invalid() -> None:
    async with running_shard(MemoryJournal()) as shard:
        good = pay("u", "t1")
        for raw in (b"\xc1", b"\x81\xa4type\xa6no-one", bytes(balance("u").body)):
            assert code(await one(shard, structs.replace(good, body=raw))) == "invalid"


async def test_facts_are_read_from_the_store_and_from_uncommitted_turns() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store)) as shard:
        await one(shard, pay("u", "old", 70))
    journal = MemoryJournal(store)
    async with running_shard(journal) as shard:
        outcomes = await shard.submit(
            [
                pay("u", "new", 30),
                command("u", "b1", TakeBack("new")),
                command("u", "b2", TakeBack("new")),
                command("u", "b3", TakeBack("old")),
                command("u", "b4", TakeBack("none")),
                balance("u"),
            ]
        )
    assert [outcome.status for outcome in outcomes] == ["done", "done", "refused", "done", "refused", "read"]
    assert (code(outcomes[2]), code(outcomes[4]), body(outcomes[5])["balance"]) == ("conflict", "not_found", 0)


async def test_facts_by_identity_are_read_from_the_store_and_from_uncommitted_turns() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store)) as shard:
        await shard.submit([pay("u", "old", 70), pay("v", "other", 5)])
    journal = MemoryJournal(store)
    async with running_shard(journal) as shard:
        outcomes = await shard.submit(
            [
                pay("u", "new", 30),
                command("u", "b1", TakeBackNamed("test", "new")),
                command("u", "b2", TakeBackNamed("test", "new")),
                command("u", "b3", TakeBackNamed("test", "old")),
                command("u", "b4", TakeBackNamed("test", "other")),
                command("u", "b5", TakeBackNamed("elsewhere", "old")),
                balance("u"),
            ]
        )
    assert [o.status for o in outcomes] == ["done", "done", "refused", "done", "refused", "refused", "read"]
    assert [code(outcomes[i]) for i in (2, 4, 5)] == ["conflict", "not_found", "not_found"]
    assert body(outcomes[6])["balance"] == 0
    assert len(journal.reads) == 1


async def test_facts_by_identity_of_a_commit_in_flight_do_not_slip_between_commit_and_read() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await one(shard, pay("u", "t0"))
        journal.gate.clear()
        paid = asyncio.create_task(one(shard, pay("u", "t1")))
        await until(lambda: len(journal.reads) == 2)
        journal.read_gate.clear()
        back = asyncio.create_task(one(shard, command("u", "b", TakeBackNamed("test", "t1"))))
        await until(lambda: shard.stats().queued == 0)
        journal.gate.set()
        assert (await paid).status == "done"
        journal.read_gate.set()
        assert (await back).status == "done"


async def test_facts_of_a_commit_in_flight_do_not_slip_between_commit_and_read() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await one(shard, pay("u", "t0"))
        journal.gate.clear()
        paid = asyncio.create_task(one(shard, pay("u", "t1")))
        await until(lambda: len(journal.reads) == 2)
        journal.read_gate.clear()
        back = asyncio.create_task(one(shard, command("u", "b", TakeBack("t1"))))
        await until(lambda: shard.stats().queued == 0)
        journal.gate.set()
        assert (await paid).status == "done"
        journal.read_gate.set()
        assert (await back).status == "done"


async def test_no_reply_and_no_read_leaves_before_the_commit_it_rests_on() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await shard.submit([pay("u", "t0"), pay("v", "t0")])
        journal.gate.clear()
        paid = asyncio.create_task(one(shard, pay("u", "t1")))
        await until(lambda: len(journal.reads) == 2)
        read = asyncio.create_task(one(shard, balance("u")))
        refused = asyncio.create_task(one(shard, command("u", "x", TakeBack("none"))))
        other = await one(shard, balance("v"))
        assert (other.status, body(other)["balance"]) == ("read", 100)
        assert [task.done() for task in (paid, read, refused)] == [False] * 3
        journal.gate.set()
        assert body(await read)["balance"] == 200
        assert ((await paid).status, code(await refused)) == ("done", "not_found")


async def test_one_commit_is_in_flight_and_one_batch_forms_behind_it() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await one(shard, pay("u", "t0"))
        journal.gate.clear()
        tasks = [asyncio.create_task(one(shard, pay("u", "t1")))]
        await until(lambda: len(journal.reads) == 2)
        for i in range(2, 12):
            tasks.append(asyncio.create_task(one(shard, pay("u", f"t{i}"))))
            await until(lambda: shard.stats().queued == 0)
        journal.gate.set()
        outcomes = await asyncio.gather(*tasks)
    assert [outcome.seq for outcome in outcomes] == list(range(3, 14))
    assert journal.batches == [2, 1, 10]


async def test_a_bug_in_decide_fails_only_its_command() -> None:
    async with running_shard(MemoryJournal()) as shard:
        outcomes = await shard.submit([pay("u", "t1"), pay("u", "t2", 5, "boom"), pay("u", "t3"), pay("v", "t1")])
        assert [outcome.status for outcome in outcomes] == ["done", "refused", "done", "done"]
        assert code(outcomes[1]) == "poison"
        assert body(await one(shard, balance("u"))) == {"balance": 200, "turns": 3, "seq": 3}


async def test_a_bug_in_evolve_fails_only_its_command_and_the_state_is_made_anew() -> None:
    async with running_shard(MemoryJournal()) as shard:
        envelopes = [pay("u", "t1"), pay("u", "t2", 5, "bang"), pay("u", "t3"), balance("u"), pay("v", "t1")]
        outcomes = await shard.submit(envelopes)
        assert [outcome.status for outcome in outcomes] == ["done", "refused", "done", "read", "done"]
        assert code(outcomes[1]) == "poison"
        assert body(outcomes[3]) == {"balance": 200, "turns": 3, "seq": 3}


async def test_commands_behind_a_bug_in_evolve_see_the_state_made_anew() -> None:
    async with running_shard(MemoryJournal()) as shard:
        await one(shard, pay("u", "t1"))
        outcomes = await shard.submit([pay("u", "t2", 5, "bang"), pay("u", "t3"), balance("u")])
        assert [outcome.status for outcome in outcomes] == ["refused", "done", "read"]
        assert body(outcomes[2]) == {"balance": 200, "turns": 3, "seq": 3}


async def test_an_entity_that_is_passivated_while_its_facts_are_read_comes_back() -> None:
    journal, clock = MemoryJournal(), FakeClock()
    async with running_shard(journal, clock=clock) as shard:
        await one(shard, pay("u", "t1"))
        journal.read_gate.clear()
        paid = asyncio.create_task(one(shard, pay("u", "t2")))
        await settled()
        clock.advance(10_000)
        assert shard.sweep() == 1
        journal.read_gate.set()
        assert (await paid).seq == 3


@pytest.mark.parametrize("poisons", [(0,), (3,), (6,), (0, 6), (1, 2), tuple(range(7))])
async def test_what_the_storage_refuses_fails_alone(poisons: Sequence[int]) -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        envelopes = [pay(f"u{i % 3}", f"t{i}", 10, "nul" if i in poisons else "") for i in range(7)]
        outcomes = await shard.submit(envelopes)
        for i, outcome in enumerate(outcomes):
            assert outcome.status == ("refused" if i in poisons else "done"), i
        assert {code(outcomes[i]) for i in poisons} == {"poison"}
        kept = sum([body(await one(shard, balance(f"u{u}")))["balance"] for u in range(3)])
    assert kept == 10 * (7 - len(poisons))


async def test_a_command_id_the_storage_refuses_fails_alone() -> None:
    async with running_shard(MemoryJournal()) as shard:
        bad = structs.replace(pay("u", "t1"), command_id="tx:\0")
        outcomes = await shard.submit([pay("u", "t0"), bad, pay("v", "t1")])
    assert [outcome.status for outcome in outcomes] == ["done", "refused", "done"]


async def test_commands_behind_a_poisoned_batch_are_carried_out_in_order() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await one(shard, pay("u", "t0"))
        journal.gate.clear()
        first = asyncio.create_task(shard.submit([pay("u", "t1"), pay("u", "t2", 5, "nul")]))
        await until(lambda: len(journal.reads) == 2)
        second = asyncio.create_task(shard.submit([pay("u", "t3"), pay("v", "t1")]))
        await until(lambda: len(journal.reads) == 3)
        journal.gate.set()
        assert [outcome.status for outcome in await first] == ["done", "refused"]
        assert [outcome.status for outcome in await second] == ["done", "done"]
    assert [row.command_id for row in journal.store.rows["u"]] == ["open", "tx:t0", "tx:t1", "tx:t3"]


async def test_a_fenced_shard_answers_unavailable_and_ends() -> None:
    journal = MemoryJournal()
    fenced: list[str] = []
    async with running_shard(journal, fenced=fenced) as shard:
        await one(shard, pay("u", "t0"))
        journal.store.terms[0] += 1
        journal.gate.clear()
        tasks = [asyncio.create_task(one(shard, pay("u", "t1")))]
        await until(lambda: len(journal.reads) == 2)
        tasks.append(asyncio.create_task(one(shard, pay("u", "t2"))))
        await until(lambda: len(journal.reads) == 3)
        journal.gate.set()
        outcomes = [*await asyncio.gather(*tasks), await one(shard, balance("u"))]
    assert {outcome.status for outcome in outcomes} == {"unavailable"}
    assert fenced == ["fenced"]
    assert len(journal.store.rows["u"]) == 2


async def test_a_conflict_drops_all_memory_and_the_retry_finds_the_truth() -> None:
    store = MemoryStore()
    journal = MemoryJournal(store)
    async with running_shard(journal) as shard:
        await shard.submit([pay("u", "t0"), pay("v", "t0")])
        journal.commit_error = Conflict("another wrote it")
        assert (await one(shard, pay("u", "t1"))).status == "unavailable"
        assert shard.stats().active == 0
        assert (await one(shard, pay("u", "t1"))).status == "done"
        assert body(await one(shard, balance("v")))["balance"] == 100


async def test_a_turn_that_memory_missed_is_found_by_its_command_id() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store)) as stale:
        await one(stale, pay("u", "t0"))
        terms, store.terms = store.terms, {}
        async with running_shard(MemoryJournal(store)) as other:
            await one(other, pay("u", "ghost", 7))
        store.terms = terms
        assert (await one(stale, pay("u", "ghost", 7))).status == "replayed"
        assert body(await one(stale, balance("u")))["balance"] == 107


async def test_a_lost_connection_answers_unavailable_and_the_term_is_resumed() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await one(shard, pay("u", "t0"))
        journal.commit_error = JournalDown("gone")
        journal.resume_error = JournalDown("still gone")
        assert (await one(shard, pay("u", "t1"))).status == "unavailable"
        assert (await one(shard, pay("u", "t1"))).status == "unavailable"
        await until(lambda: shard.stats().state == "working")
        assert (await one(shard, pay("u", "t1"))).status == "done"
        assert journal.resumed == 2
        assert body(await one(shard, balance("u")))["balance"] == 200


async def test_a_shard_that_lost_its_term_while_disconnected_ends() -> None:
    journal = MemoryJournal()
    fenced: list[str] = []
    async with running_shard(journal, fenced=fenced) as shard:
        journal.commit_error = JournalDown("gone")
        journal.resume_error = Fenced("taken over")
        assert (await one(shard, pay("u", "t1"))).status == "unavailable"
        await until(lambda: fenced == ["fenced"])


async def test_later_commands_of_a_call_do_not_overtake_an_unavailable_one_of_their_entity() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(iteration_max=1)) as shard:
        await shard.submit([pay("u", "t0"), pay("v", "t0")])
        journal.read_error = JournalDown("gone")
        outcomes = await shard.submit([pay("u", "t1"), pay("v", "t1"), pay("u", "t2")])
    assert [outcome.status for outcome in outcomes] == ["unavailable", "done", "unavailable"]


async def test_an_overloaded_shard_refuses_a_call_whole_and_at_once() -> None:
    journal = MemoryJournal()
    journal.read_gate.clear()
    async with running_shard(journal, limits=Limits(queue_commands_max=3)) as shard:
        waiting = asyncio.create_task(shard.submit([pay("u", f"t{i}") for i in range(3)]))
        await settled()
        more = asyncio.create_task(shard.submit([pay("v", f"t{i}") for i in range(3)]))
        await until(lambda: shard.stats().queued == 3)
        assert {outcome.status for outcome in await shard.submit([pay("w", "t1")])} == {"unavailable"}
        journal.read_gate.set()
        assert {outcome.status for outcome in [*await waiting, *await more]} == {"done"}


async def test_an_idle_entity_is_passivated_with_a_snapshot_and_comes_back_the_same() -> None:
    journal, clock = MemoryJournal(), FakeClock()
    async with running_shard(journal, clock=clock, limits=Limits(idle_s=300)) as shard:
        await one(shard, pay("u", "t1", 5))
        clock.advance(200)
        await one(shard, pay("v", "t1"))
        clock.advance(101)
        assert shard.sweep() == 1
        await until(lambda: "u" in journal.store.snapshots)
        assert journal.store.snapshots["u"].seq == 2
        assert shard.stats().active == 1
        assert body(await one(shard, balance("u"))) == {"balance": 5, "turns": 2, "seq": 2}
        assert (await one(shard, pay("u", "t2"))).seq == 3


async def test_an_entity_with_uncommitted_turns_is_never_passivated() -> None:
    journal, clock = MemoryJournal(), FakeClock()
    limits = Limits(idle_s=1, entities_max=1)
    async with running_shard(journal, clock=clock, limits=limits) as shard:
        journal.gate.clear()
        paid = asyncio.create_task(shard.submit([pay("u", "t1"), pay("v", "t1")]))
        await until(lambda: shard.stats().active == 2)
        clock.advance(100)
        assert shard.sweep() == 0
        journal.gate.set()
        assert {outcome.status for outcome in await paid} == {"done"}


async def test_the_least_recently_used_beyond_the_cap_is_passivated() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(entities_max=2)) as shard:
        for number, entity in enumerate(("u", "v", "u", "w", "u")):
            await one(shard, pay(entity, f"t{number}"))
        await until(lambda: "v" in journal.store.snapshots)
        assert (set(journal.store.snapshots), shard.stats().active) == ({"v"}, 2)
        assert body(await one(shard, balance("v")))["balance"] == 100


async def test_snapshot_and_tail_are_the_replay_of_the_whole_journal() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store), limits=Limits(snapshot_every=4)) as shard:
        for i in range(10):
            await one(shard, pay("u", f"t{i}", i + 1))
        await until(lambda: "u" in store.snapshots and store.snapshots["u"].seq == 8)
        whole = body(await one(shard, balance("u")))
    async with running_shard(MemoryJournal(store)) as shard:
        assert body(await one(shard, balance("u"))) == whole
    store.snapshots.clear()
    async with running_shard(MemoryJournal(store)) as shard:
        assert body(await one(shard, balance("u"))) == whole == {"balance": 55, "turns": 11, "seq": 11}


async def test_a_snapshot_is_never_of_an_uncommitted_turn() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(snapshot_every=2)) as shard:
        journal.commit_error = JournalDown("gone")
        await one(shard, pay("u", "t1"))
        await until(lambda: shard.stats().state == "working")
        assert journal.store.snapshots == {}


async def test_a_damaged_journal_fails_its_entity_only() -> None:
    store = MemoryStore()
    async with running_shard(MemoryJournal(store)) as shard:
        await shard.submit([pay("u", "t1"), pay("v", "t1")])
    store.rows["u"][1] = structs.replace(store.rows["u"][1], body=store.rows["u"][0].body)
    async with running_shard(MemoryJournal(store)) as shard:
        outcomes = await shard.submit([balance("u"), balance("v")])
    assert (code(outcomes[0]), outcomes[1].status) == ("poison", "read")


async def test_many_entities_wake_up_in_bounded_queries() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(recoveries_max=4)) as shard:
        outcomes = await shard.submit([pay(f"u{i}", "t1") for i in range(10)])
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert [len(question.entities) for question in journal.reads] == [4, 4, 2]


async def test_draining_commits_what_was_taken_keeps_snapshots_and_takes_no_more() -> None:
    journal = MemoryJournal()
    journal.gate.clear()
    async with running_shard(journal) as shard:
        paid = asyncio.create_task(one(shard, pay("u", "t1")))
        await until(lambda: shard.stats().active == 1)
        draining = asyncio.create_task(shard.drain())
        await until(lambda: shard.stats().state == "draining")
        assert (await one(shard, pay("u", "t2"))).status == "unavailable"
        journal.gate.set()
        await draining
        assert (await paid).status == "done"
    assert journal.store.snapshots["u"].seq == 2


async def test_an_explicit_opening_is_one_turn_and_its_repeat_a_duplicate() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        first = await one(shard, command("u", "open", Open("EUR"), opening=False))
        again = await one(shard, command("u", "open", Open("EUR"), opening=False))
        other = await one(shard, command("u", "open", Open("USD"), opening=False))
        assert (await one(shard, command("u", "r", Remind("ring")))).seq == 2
    assert [first.status, again.status, code(other)] == ["done", "replayed", "key_reused"]
