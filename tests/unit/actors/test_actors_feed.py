"""The feed: in seq order, without gaps, nothing before its commit."""

import asyncio

from actors.limits import Limits
from actors.messages import Pull, Pulled
from actors.shard import EntityShard
from tests.support.counter import pay
from tests.support.memory_journal import MemoryJournal
from tests.support.shards import FakeClock, running_shard


async def begin(shard: EntityShard, gateway: str = "g", **subscribe: int) -> Pulled:
    """Begin as a gateway that was never here."""
    return await shard.pull(Pull(gateway, "", 0, subscribe))


def after(pulled: Pulled, gateway: str = "g", wait_s: float = 0.0, **subscribe: int) -> Pull:
    """Return the pull that follows."""
    return Pull(gateway, pulled.incarnation, pulled.cursor, subscribe, wait_s=wait_s)


def seqs(pulled: Pulled) -> list[tuple[str, int]]:
    """Return who heard of what."""
    return [(frame.entity_id, frame.seq) for frame in pulled.frames]


async def settled() -> None:
    """Let everything that can run, run."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_subscription_answers_with_the_committed_head_and_what_lies_between() -> None:
    journal, clock = MemoryJournal(), FakeClock()
    async with running_shard(journal, clock=clock) as shard:
        await shard.submit([pay("u", "t1"), pay("u", "t2"), pay("v", "t1"), pay("w", "t1")])
        clock.advance(1_000)
        assert shard.sweep() == 3
        pulled = await begin(shard, u=1, v=2, w=-1, nobody=0)
    assert pulled.known
    assert pulled.heads == {"u": 3, "v": 2, "w": 2, "nobody": 0}
    assert seqs(pulled) == [("u", 2), ("u", 3)]
    assert pulled.frames[0].at == "2026-01-01T00:00:00Z"
    assert b'"Paid"' in bytes(pulled.frames[0].events)


async def test_frames_leave_after_their_commit_and_only_for_subscribed_entities() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        pulled = await begin(shard, u=0)
        journal.gate.clear()
        paid = asyncio.create_task(shard.submit([pay("u", "t1"), pay("v", "t1")]))
        waiting = asyncio.create_task(shard.pull(after(pulled, wait_s=30)))
        await settled()
        assert not waiting.done()
        journal.gate.set()
        pulled = await waiting
        await paid
        assert seqs(pulled) == [("u", 1), ("u", 2)]
        assert seqs(await shard.pull(after(pulled))) == []


async def test_a_turn_that_commits_while_a_subscription_takes_effect_is_told_once() -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await shard.submit([pay("u", "t1")])
        journal.gate.clear()
        paid = asyncio.create_task(shard.submit([pay("u", "t2")]))
        await settled()
        pulled = await begin(shard, u=0)
        assert (pulled.heads, seqs(pulled)) == ({"u": 2}, [("u", 1), ("u", 2)])
        journal.gate.set()
        await paid
        assert seqs(await shard.pull(after(pulled))) == [("u", 3)]


async def test_a_newer_pull_releases_the_older_one_and_frames_come_once_each() -> None:
    async with running_shard(MemoryJournal()) as shard:
        pulled = await begin(shard, u=0)
        older = asyncio.create_task(shard.pull(after(pulled, wait_s=30)))
        await settled()
        newer = await shard.pull(after(pulled, wait_s=30, v=0))
        assert seqs(await older) == []
        assert newer.heads == {"v": 0}
        await shard.submit([pay("u", "t1"), pay("v", "t1")])
        got = await shard.pull(after(newer))
    assert seqs(got) == [("u", 1), ("u", 2), ("v", 1), ("v", 2)]


async def test_an_unknown_incarnation_or_gateway_must_send_its_whole_set_again() -> None:
    async with running_shard(MemoryJournal()) as shard:
        stranger = await shard.pull(Pull("g", "an older incarnation", 7, {"u": 0}))
        assert (stranger.known, stranger.heads) == (False, {})
        again = await shard.pull(after(stranger, u=0))
        assert (again.known, again.heads) == (True, {"u": 0})
        forgotten = await shard.pull(after(again, gateway="another"))
        assert not forgotten.known


async def test_a_cursor_older_than_the_ring_is_unknown() -> None:
    async with running_shard(MemoryJournal(), limits=Limits(ring_frames_max=3)) as shard:
        pulled = await begin(shard, u=0)
        await shard.submit([pay("u", f"t{i}") for i in range(6)])
        late = await shard.pull(after(pulled))
        assert not late.known
        again = await shard.pull(after(late, u=0))
        assert [seq for _, seq in seqs(again)] == list(range(1, 8))


async def test_further_behind_than_the_bound_is_left_to_history() -> None:
    async with running_shard(MemoryJournal(), limits=Limits(back_fill_turns_max=5)) as shard:
        await shard.submit([pay("u", f"t{i}") for i in range(6)])
        pulled = await begin(shard, u=1)
        assert (pulled.heads, seqs(pulled)) == ({"u": 7}, [])
        nearer = await begin(shard, u=2)
        assert [seq for _, seq in seqs(nearer)] == [3, 4, 5, 6, 7]


async def test_a_large_backlog_comes_in_parts() -> None:
    async with running_shard(MemoryJournal(), limits=Limits(pull_bytes_max=1_000)) as shard:
        pulled = await begin(shard, u=0)
        await shard.submit([pay("u", f"t{i}") for i in range(20)])
        told: list[int] = []
        while part := seqs(pulled := await shard.pull(after(pulled))):
            assert len(part) < 20
            told += [seq for _, seq in part]
    assert told == list(range(1, 22))


async def test_unsubscribing_ends_the_frames() -> None:
    async with running_shard(MemoryJournal()) as shard:
        pulled = await begin(shard, u=0, v=0)
        pulled = await shard.pull(Pull("g", pulled.incarnation, pulled.cursor, {}, ["u"], 0.0))
        await shard.submit([pay("u", "t1"), pay("v", "t1")])
        assert seqs(await shard.pull(after(pulled))) == [("v", 1), ("v", 2)]


async def test_a_gateway_that_vanished_is_forgotten() -> None:
    clock = FakeClock()
    async with running_shard(MemoryJournal(), clock=clock) as shard:
        pulled = await begin(shard, u=0)
        clock.advance(61)
        shard.sweep()
        assert not (await shard.pull(after(pulled))).known


async def test_gateways_hear_independently_of_one_another() -> None:
    async with running_shard(MemoryJournal()) as shard:
        one, two = await begin(shard, "one", u=0), await begin(shard, "two", v=0)
        await shard.submit([pay("u", "t1"), pay("v", "t1")])
        assert seqs(await shard.pull(after(one, "one"))) == [("u", 1), ("u", 2)]
        assert seqs(await shard.pull(after(two, "two"))) == [("v", 1), ("v", 2)]


async def test_what_comes_right_after_an_answer_goes_together_with_the_next() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(pull_pace_s=0.2)) as shard:
        pulled = await begin(shard, u=0)
        await shard.submit([pay("u", "t0")])
        first = await shard.pull(after(pulled, wait_s=30))
        waiting = asyncio.create_task(shard.pull(after(first, wait_s=30)))
        for n in range(1, 4):
            await settled()
            await shard.submit([pay("u", f"t{n}")])
        assert not waiting.done()
        assert [seqs(first), seqs(await waiting)] == [[("u", 1), ("u", 2)], [("u", 3), ("u", 4), ("u", 5)]]


async def test_a_gateway_that_heard_nothing_lately_is_answered_at_once() -> None:
    journal = MemoryJournal()
    async with running_shard(journal, limits=Limits(pull_pace_s=1_000)) as shard:
        pulled = await begin(shard, u=0)
        waiting = asyncio.create_task(shard.pull(after(pulled, wait_s=30)))
        await settled()
        await shard.submit([pay("u", "t1")])
        assert seqs(await waiting) == [("u", 1), ("u", 2)]
