"""Letters: a command for another entity, carried out once; money that is conserved whatever is killed in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Raw, json, msgpack

from actors import wire
from actors.client import Sender
from actors.lane import LaneLimits
from actors.letters import Letters, OwnShard
from actors.limits import Limits
from actors.shard import EntityShard
from actors.slots import shard_of
from actors.transport import TransportLost
from engine.letters import Letter
from tests.support.counter import Pay, Sent, TakeBack, Write, balance, command, pay
from tests.support.memory_journal import MemoryJournal, MemoryStore
from tests.support.shards import running_shard

SHARDS = 2
QUICK = Limits(lease_s=0.0, outbox_poll_s=0.01, outbox_park_s_min=0.0, outbox_park_s_max=0.0)
LANES = LaneLimits(back_off_s_min=0.001, back_off_s_max=0.005)


class Wires:
    """`Transport` between the shards of this process; a shard that is not there is lost. Counts what passes."""

    def __init__(self) -> None:
        self.shards: dict[int, EntityShard] = {}
        self.passed = 0

    async def submit(self, shard: int, blob: bytes) -> bytes:
        self.passed += 1
        if shard not in self.shards:
            raise TransportLost(f"no shard {shard}")
        return wire.encode_outcomes(await self.shards[shard].submit(wire.decode_envelopes(blob)))

    async def pull(self, shard: int, blob: bytes) -> bytes:
        raise TransportLost("nobody pulls here")


@asynccontextmanager
async def host(
    wires: Wires, store: MemoryStore, number: int, limits: Limits = QUICK, journal: MemoryJournal | None = None
) -> AsyncIterator[EntityShard]:
    """Give a shard of two that can write to the other."""
    own = OwnShard(number, wires)
    handlers = {"letter": Letters(Sender(own, SHARDS, LANES))}
    journal = journal or MemoryJournal(store)
    async with running_shard(journal, handlers=handlers, place=(number, SHARDS), limits=limits) as shard:
        own.submits_to(shard)
        wires.shards[number] = shard
        try:
            yield shard
        finally:
            del wires.shards[number]


def names(shard: int, count: int = 1) -> list[str]:
    """Return local ids that a shard hosts."""
    return [name for name in (f"u{i}" for i in range(999)) if shard_of(f"main/{name}", SHARDS) == shard][:count]


[HERE, ALSO_HERE], [THERE] = names(0, 2), names(1)


def gift(giver: str, taker: str, amount: int, number: int, *, refusable: bool = False, note: str = "") -> Any:
    """Return the envelope of a payment from one to the other: paid out here, paid in there, back if refused."""
    back = msgpack.encode(Pay(f"back-{giver}-{number}", amount)) if refusable else None
    letter = Letter(
        taker,
        f"xfer:{giver}-{number}:credit",
        Raw(msgpack.encode(Pay(f"gift-{giver}-{number}", 0 if note == "refused" else amount, note))),
        back,
    )
    return command(f"main/{giver}", f"gift-{number}", Write([Sent(f"letter/{taker}", msgpack.encode(letter))], amount))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def balances(wires: Wires, *users: str) -> list[int]:
    """Return what each has."""
    found = []
    for user in users:
        [outcome] = await wires.shards[shard_of(f"main/{user}", SHARDS)].submit([balance(f"main/{user}")])
        assert outcome.body is not None, outcome
        found.append(json.decode(outcome.body)["balance"])
    return found


async def opened(wires: Wires, *users: str) -> None:
    """Give each a first payment of 1,000."""
    for user in users:
        [outcome] = await wires.shards[shard_of(f"main/{user}", SHARDS)].submit([pay(f"main/{user}", "first", 1_000)])
        assert outcome.status == "done"


@pytest.mark.parametrize("taker", [THERE, ALSO_HERE], ids=["another shard", "the same shard"])
async def test_a_letter_is_carried_out_by_the_other_entity(taker: str) -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, taker)
        await here.submit([gift(HERE, taker, 300, 1)])
        await until(lambda: here.stats().messages_delivered == 1)
        assert await balances(wires, HERE, taker) == [700, 1_300]
    row = store.commands[f"main/{taker}", f"xfer:{HERE}-1:credit"]
    assert msgpack.decode(row.meta)[:2] == [f"main/{HERE}", "letter"]
    assert store.waiting == []


async def test_a_shard_that_is_away_gets_its_letters_in_order_when_it_is_back() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here:
        await opened(wires, HERE)
        async with host(wires, store, 1):
            await opened(wires, THERE)
        await here.submit([gift(HERE, THERE, 10 * n, n) for n in (1, 2, 3)])
        await until(lambda: wires.passed > 3)
        async with host(wires, store, 1):
            await until(lambda: here.stats().messages_delivered == 3)
            assert await balances(wires, HERE, THERE) == [940, 1_060]
    credited = [row.command_id for row in store.rows[f"main/{THERE}"] if row.command_id.startswith("xfer")]
    assert credited == [f"xfer:{HERE}-{n}:credit" for n in (1, 2, 3)]


async def test_a_refusal_reaches_the_sender_as_a_command_and_the_target_keeps_it() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([gift(HERE, THERE, 300, 1, refusable=True, note="refused")])
        await until(lambda: here.stats().messages_delivered == 1)
        assert await balances(wires, HERE, THERE) == [1_000, 1_000]
    assert (f"main/{HERE}", f"xfer:{HERE}-1:credit:refused") in store.commands
    assert (f"main/{THERE}", f"xfer:{HERE}-1:credit") in store.commands


async def test_a_refusal_nobody_asked_for_is_not_kept_and_the_next_letter_goes_on() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([gift(HERE, THERE, 300, 1, note="refused"), gift(HERE, THERE, 1, 2)])
        await until(lambda: here.stats().messages_delivered == 2)
        assert await balances(wires, THERE) == [1_001]
    assert (f"main/{THERE}", f"xfer:{HERE}-1:credit") not in store.commands


async def test_a_letter_that_comes_again_after_its_refusal_is_refused_again() -> None:
    """Killed after the sender has its money back, before the letter is deleted: the target must not change its mind."""
    wires, store = Wires(), MemoryStore()
    back = msgpack.encode(Pay("back", 300))
    letter = Letter(THERE, "xfer:1:take", Raw(msgpack.encode(TakeBack("later"))), back)
    async with host(wires, store, 1) as there:
        await opened(wires, THERE)
        async with host(wires, store, 0) as here:
            await opened(wires, HERE)
            wires.shards.pop(1)
            await here.submit([command(f"main/{HERE}", "w", Write([Sent("letter", msgpack.encode(letter))], 300))])
            kept = list(store.waiting)
            wires.shards[1] = there
            await until(lambda: here.stats().messages_delivered == 1)
            assert await balances(wires, HERE, THERE) == [1_000, 1_000]
        await there.submit([pay(f"main/{THERE}", "later", 50)])
        store.waiting = kept
        async with host(wires, store, 0) as here:
            await until(lambda: here.stats().messages_delivered == 1)
            assert await balances(wires, HERE, THERE) == [1_000, 1_050]


async def test_a_bug_in_the_target_is_no_refusal() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([gift(HERE, THERE, 300, 1, refusable=True, note="boom")])
        await until(lambda: here.stats().messages_failed >= 2)
        assert await balances(wires, HERE, THERE) == [700, 1_000]
    assert len(store.waiting) == 1


async def test_a_letter_this_release_cannot_read_is_kept_for_one_that_can() -> None:
    """Also when its sender wants to hear of no refusal: what was reserved for it would be so for ever."""
    wires, store = Wires(), MemoryStore()
    letter = Letter(THERE, "xfer:1:credit", Raw(msgpack.encode({"type": "of_a_later_release"})))
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, THERE)
        await here.submit([command(f"main/{HERE}", "w", Write([Sent("letter", msgpack.encode(letter))], 300))])
        await until(lambda: here.stats().messages_failed >= 2 or here.stats().messages_delivered > 0)
    assert len(store.waiting) == 1


async def test_a_receiver_that_breaks_every_turn_holds_up_no_other_letters_of_the_sender() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1):
        await opened(wires, HERE, ALSO_HERE, THERE)
        await here.submit([gift(HERE, THERE, 300, 1, note="boom"), gift(HERE, THERE, 5, 2)])
        await here.submit([gift(HERE, ALSO_HERE, 20, 3)])
        await until(lambda: here.stats().messages_delivered == 1 and here.stats().messages_failed >= 2)
        assert await balances(wires, HERE, ALSO_HERE, THERE) == [675, 1_020, 1_000]
    assert len(store.waiting) == 2


async def test_an_id_that_another_command_has_taken_is_no_refusal() -> None:
    wires, store = Wires(), MemoryStore()
    async with host(wires, store, 0) as here, host(wires, store, 1) as there:
        await opened(wires, HERE, THERE)
        await there.submit([command(f"main/{THERE}", f"xfer:{HERE}-1:credit", Pay("other", 5))])
        await here.submit([gift(HERE, THERE, 300, 1, refusable=True)])
        await until(lambda: here.stats().messages_failed >= 2)
        assert await balances(wires, HERE, THERE) == [700, 1_005]


async def test_money_is_conserved_when_shards_are_killed_while_letters_are_under_way() -> None:
    wires, store = Wires(), MemoryStore()
    givers = names(0, 4) + names(1, 4)

    async def live(number: int, alive: float) -> None:
        async with host(wires, store, number):
            await asyncio.sleep(alive)

    async def give(giver: str, taker: str, number: int) -> None:
        while True:
            shard = wires.shards.get(shard_of(f"main/{giver}", SHARDS))
            if shard is not None and shard.stats().state == "working":
                submitted = asyncio.create_task(shard.submit([gift(giver, taker, number, number)]))
                done, _ = await asyncio.wait({submitted}, timeout=0.2)
                if done and submitted.result()[0].status in ("done", "replayed"):
                    return
                submitted.cancel()
            await asyncio.sleep(0.001)

    async def kill_and_start(number: int) -> None:
        for lives in range(6):
            await live(number, 0.02 + 0.01 * lives)

    async with host(wires, store, 0), host(wires, store, 1):
        await opened(wires, *givers)
    pairs = [(giver, givers[(i + 1 + n) % 8], n) for i, giver in enumerate(givers) for n in range(1, 6)]
    gifts = [asyncio.create_task(give(*pair)) for pair in pairs]
    await asyncio.gather(kill_and_start(0), kill_and_start(1))
    async with host(wires, store, 0), host(wires, store, 1):
        await asyncio.gather(*gifts)
        await until(lambda: not store.waiting)
        assert sum(await balances(wires, *givers)) == 1_000 * len(givers)
        assert len([key for key in store.commands if key[1].startswith("xfer:")]) == len(pairs)


async def test_two_shards_that_write_to_each_other_under_full_queues_come_to_an_end() -> None:
    wires, store = Wires(), MemoryStore()
    here, there = names(0, 12), names(1, 12)
    tight = Limits(
        lease_s=0.0,
        queue_commands_max=2,
        iteration_max=1,
        batch_max=1,
        outbox_lanes_max=6,
        outbox_poll_s=0.01,
        outbox_park_s_min=0.0,
        outbox_park_s_max=0.0,
    )
    async with host(wires, store, 0, tight) as one, host(wires, store, 1, tight) as two:
        await opened(wires, *here, *there)
        pairs = [(one, giver, taker) for giver, taker in zip(here, there, strict=True)]
        pairs += [(two, giver, taker) for giver, taker in zip(there, here, strict=True)]

        async def give(shard: EntityShard, giver: str, taker: str) -> None:
            for number in range(1, 6):
                while (await shard.submit([gift(giver, taker, number, number)]))[0].status == "unavailable":
                    await asyncio.sleep(0)

        await asyncio.gather(*(give(*pair) for pair in pairs))
        await until(lambda: not store.waiting)
        assert await balances(wires, *here, *there) == [1_000] * 24


async def test_without_a_way_to_the_others_a_letter_waits() -> None:
    store = MemoryStore()
    own = OwnShard(0, None)
    sender = Sender(own, SHARDS, LaneLimits(deadline_s=0.0))
    async with running_shard(
        MemoryJournal(store), handlers={"letter": Letters(sender)}, place=(0, SHARDS), limits=QUICK
    ) as shard:
        own.submits_to(shard)
        await shard.submit([pay(f"main/{HERE}", "first"), gift(HERE, THERE, 1, 1)])
        await until(lambda: shard.stats().messages_failed > 0)
    assert len(store.waiting) == 1
