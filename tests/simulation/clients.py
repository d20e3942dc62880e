"""The clients of a world: each sends one command after another for its entities, the same one until it is answered."""

import asyncio
from typing import TYPE_CHECKING

from msgspec import Raw, msgpack

from actors.client import Sender
from actors.lane import LaneLimits
from actors.messages import Envelope
from actors.runtime import Unavailable
from engine.letters import Letter
from tests.support.counter import Pay, Remind, Sent, TakeBack, Write, balance, command, pay

if TYPE_CHECKING:
    from tests.simulation.world import World

LANES = LaneLimits(call_s_max=3.0, deadline_s=6.0, back_off_s_max=0.5)


class Client:
    """One client, with a connection of its own; it uses the command ids only it uses."""

    def __init__(self, world: "World", number: int, entities: list[str]) -> None:
        self._world, self._number, self._entities = world, number, entities
        self._sender = Sender(world.transport(), world.shards, LANES)
        self._sent = 0
        self._paid: list[tuple[str, str]] = []

    async def run(self, commands: int) -> None:
        """Send so many, then end."""
        world = self._world
        for _ in range(commands):
            envelope = self._next()
            await self._until_answered(envelope)
            if world.chance(0.1) and envelope.command_id is not None:
                await self._until_answered(envelope)
            await asyncio.sleep(world.some(0.2))

    async def _until_answered(self, envelope: Envelope) -> None:
        world = self._world
        while True:
            call = world.history.begin(self._number, envelope, world.loop.time())
            try:
                call.outcome = await self._sender.submit(envelope)
            except Unavailable:
                await asyncio.sleep(world.some(0.5))
                continue
            call.ended = world.loop.time()
            return

    def _next(self) -> Envelope:
        """Return a command nobody has sent yet, or a read."""
        world = self._world
        self._sent += 1
        name = f"{self._number}.{self._sent}"
        entity_id = world.rng.choice(self._entities)
        kind = world.rng.choices(("pay", "read", "back", "remind", "letter", "bad"), (8, 6, 2, 2, 3, 1))[0]
        if kind == "pay":
            self._paid.append((entity_id, name))
            return pay(entity_id, name, world.rng.randint(1, 900))
        if kind == "read":
            return balance(entity_id)
        if kind == "back" and self._paid:
            owner, paid = self._paid.pop(world.rng.randrange(len(self._paid)))
            return command(owner, f"back:{paid}", TakeBack(paid))
        if kind == "remind":
            return command(entity_id, f"remind:{name}", Remind(f"timer-{name}", seconds=world.rng.randint(0, 5)))
        if kind == "letter":
            return self._letter(entity_id, name)
        return pay(entity_id, name, 0, "boom" if world.chance(0.3) else "")

    def _letter(self, entity_id: str, name: str) -> Envelope:
        """Return a command that pays out here and, by a letter, in at another entity."""
        target = self._world.rng.choice(self._world.entities).partition("/")[2]
        amount = self._world.rng.randint(1, 500)
        paid_in = Raw(msgpack.encode(Pay(f"letter-{name}", amount)))
        body = msgpack.encode(Letter(target, f"xfer:{name}:credit", paid_in))
        return command(entity_id, f"xfer:{name}:out", Write([Sent(f"letter/{target}", body)], amount))

    async def close(self) -> None:
        """Give the connection back."""
        await self._sender.close()
