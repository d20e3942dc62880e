"""The sandbox host behind a real shard: what is asked for is settled as soon as it is committed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from actors.client import Sender
from actors.messages import Envelope, Meta
from actors.shard import EntityShard
from adapters.hosts.sandbox import REFUSED, SandboxHost, executed, left_alone
from engine import commands as c
from engine.behaviour import OutboxMessage
from engine.hosting import UserBehaviour
from engine.queries import GetInstructions, GetJars
from engine.settlement import rows_settlement
from engine.settlement.views_settlement import instruction
from serve.composition import reporting
from tests.support.memory_journal import MemoryJournal
from tests.support.outside import Told
from tests.support.person import Person
from tests.support.rest import LocalTransport
from tests.support.shards import FakeClock, running_shard

USER = "main/asha"
OPENING = c.OpenUser(auto_saving="on")
LIVE = c.OpenUser(auto_saving="on", tenant_mode="live")


class Late:
    """A way to the shard for who is made before it."""

    def __init__(self) -> None:
        self.shard: EntityShard | None = None

    async def submit(self, shard: int, blob: bytes) -> bytes:
        assert self.shard is not None
        return await LocalTransport(self.shard).submit(shard, blob)

    async def pull(self, shard: int, blob: bytes) -> bytes:
        raise NotImplementedError


async def ask(sender: Sender, query: Any, opening: c.OpenUser = OPENING) -> Any:
    envelope = Envelope(USER, None, msgspec.msgpack.encode(query), Meta("asha"), msgspec.msgpack.encode(opening))
    outcome = await sender.submit(envelope)
    assert outcome.body is not None
    return msgspec.json.decode(outcome.body)["items"]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.001)


async def deposited(opening: c.OpenUser, then: Callable[[Sender], Awaitable[None]]) -> None:
    """Deposit 500 rupees as somebody who was opened so, beside a sandbox host; then look."""
    way = Late()
    sender = Sender(way, 1)
    host = SandboxHost(reporting(sender))
    handlers = {rows_settlement.CHANNEL: host.deliver, "notify": left_alone}
    behaviour = UserBehaviour(outside=Told())
    async with running_shard(MemoryJournal(), behaviour=behaviour, clock=FakeClock(), handlers=handlers) as shard:
        way.shard = shard
        (jar,) = await ask(sender, GetJars(), opening)
        deposit = msgspec.msgpack.encode(c.DepositToJar(jar_id=jar["jar_id"], amount=50_000))
        await sender.submit(Envelope(USER, "d1", deposit, Meta("asha")))
        await then(sender)
        await sender.close()


async def test_a_deposit_is_available_without_anybody_reporting() -> None:
    async def settled(sender: Sender) -> None:
        async def available() -> bool:
            return bool((await ask(sender, GetJars()))[0]["available"] == 50_000)

        await until(available)
        (one,) = await ask(sender, GetInstructions())
        assert (one["status"], one["reference"]) == ("done", f"sandbox-{one['instruction_id']}")

    await deposited(OPENING, settled)


async def test_a_live_tenants_instructions_wait_for_the_host_that_polls() -> None:
    async def waiting(sender: Sender) -> None:
        (one,) = await ask(sender, GetInstructions())
        assert (one["status"], one["ready"]) == ("open", True)

    await deposited(LIVE, waiting)


async def test_an_order_that_comes_twice_is_reported_under_one_id() -> None:
    seen: list[tuple[str, str, c.ReportResult]] = []

    async def submit(entity_id: str, command_id: str, command: c.ReportResult) -> None:
        seen.append((entity_id, command_id, command))

    person = Person(at=FakeClock().at)
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=100), FakeClock().at)
    (row,) = [row for row in person.outbox if row.channel == rows_settlement.CHANNEL]
    message = OutboxMessage(USER, row.channel, 2, 0, row.outbox_id, row.body, FakeClock().at, 0)
    host = SandboxHost(submit)
    await host.deliver(message)
    await host.deliver(message)
    assert len(seen) == 2
    assert seen[0] == seen[1]
    await host.deliver(msgspec.structs.replace(message, body=b"\xc1"))
    assert len(seen) == 2


def test_a_payout_to_a_destination_that_fails_is_refused() -> None:
    person = Person(at=FakeClock().at)
    person.do(c.DepositToJar(jar_id=person.jar_id("Savings"), amount=100), FakeClock().at)
    (debit,) = person.state.settlement.open.values()
    order = instruction(msgspec.structs.replace(debit, type="payout", destination="fail@upi"), "u1")
    assert (executed(order).status, executed(order).reason) == ("failed", REFUSED)
    assert executed(msgspec.structs.replace(order, destination=None)).status == "done"
