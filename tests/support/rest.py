"""The REST application in this process: real routes and a real shard, the journal in memory, no Postgres, no Ray."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
from litestar import Litestar
from typing_extensions import override

from actors import wire
from actors.client import Client
from actors.feed import stored_frame
from actors.host_statements import HostStatements
from actors.kinds import GROUP, USER, Kinds
from actors.messages import Envelope, Frame, Meta
from actors.read_model import ReadModel
from actors.shard import EntityShard
from adapters.scores.redis_board import RedisBoards
from engine import letters
from engine.commands import ReportResult
from engine.groups.hosting import GROUP_BEHAVIOUR
from engine.hosting import UserBehaviour
from engine.settlement import rows_settlement
from serve.api.app import build_app
from serve.auth.accounts import Accounts
from serve.auth.keys import KeyRing, load_or_create
from serve.auth.principal import Role
from serve.auth.tickets import Tickets
from serve.auth.tokens import Issuer, Verifier
from serve.composition import predict
from serve.gateways import Address, nowhere
from serve.live.ports import SystemClock
from serve.outside import Secrets
from serve.services import Services
from serve.tenant_feed import Pause, TenantFeed
from tests.support.memory_journal import MemoryJournal
from tests.support.shards import FakeClock, running_shard
from tests.support.spent_tickets import MemorySpentTickets

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


class LocalTransport:
    """`Transport` to a shard in this process."""

    def __init__(self, shard: EntityShard) -> None:
        self._shard = shard

    async def submit(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.submit`."""
        del shard
        return wire.encode_outcomes(await self._shard.submit(wire.decode_envelopes(blob)))

    async def pull(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.pull`."""
        del shard
        return wire.encode_pulled(await self._shard.pull(wire.decode_pull(blob)))


class LocalClient(Client):
    """`Runtime` whose history is that of a journal in memory."""

    def __init__(self, shard: EntityShard, kinds: Kinds, journal: MemoryJournal) -> None:
        super().__init__(LocalTransport(shard), 1, kinds, cast("Any", None))
        self._journal = journal

    @override
    async def history(self, entity_id: str, after: int, limit: int) -> list[Frame]:
        """See `Runtime.history`."""
        found = await self._journal.histories([(entity_id, after)], limit)
        return [stored_frame(self._kinds.of(entity_id), entity_id, turn) for turn in found.get(entity_id, ())]

    @override
    async def head(self, entity_id: str) -> int:
        """See `Runtime.head`."""
        return (await self._journal.heads([entity_id]))[entity_id]


class Rest:
    """A client of the application, and tokens for it; `journal` is what its turns wrote, `clock` moves when told."""

    def __init__(
        self, http: httpx.AsyncClient, keys: KeyRing, journal: MemoryJournal, clock: FakeClock, services: Services
    ) -> None:
        self.http, self.journal, self.clock = http, journal, clock
        self._issuer = Issuer(keys)
        self.runtime = services.runtime
        self.tickets, self.measures = services.tickets, services.measures
        self._delivered = 0

    def bearer(self, user: str = "asha", role: Role = "user") -> dict[str, str]:
        """Return the header of a user, service or admin."""
        return {"Authorization": f"Bearer {self._issuer.issue(user, now=self.clock.at, lifetime_s=900, role=role)}"}

    async def deliver_letters(self) -> None:
        """Deliver what the outbox holds for other entities and the host, and what comes of it, until nothing is new."""
        while len(rows := self.journal.store.outbox) > self._delivered:
            row = rows[self._delivered]
            self._delivered += 1
            if letters.is_letter(row):
                one = letters.read(row.body)
                await self.runtime.submit(Envelope(f"main/{one.to}", one.command_id, bytes(one.command), Meta("post")))
            elif row.channel == rows_settlement.CHANNEL:
                asked = rows_settlement.decode(row.body)
                done = msgspec.msgpack.encode(ReportResult(instruction_id=asked.instruction_id, status="done"))
                host = Meta("service:main/host")
                await self.runtime.submit(Envelope(f"main/{asked.user_id}", f"host:{row.outbox_id}", done, host))

    def code(self, challenge_id: str) -> str:
        """Return the code that was sent for a challenge."""
        messages = [msgspec.msgpack.decode(row.body) for row in self.journal.store.outbox if row.channel == "notify"]
        return next(str(m["code"]) for m in messages if m.get("challenge_id") == challenge_id)


@asynccontextmanager
async def serving(
    folder: Path,
    read_model: ReadModel | None = None,
    statements: HostStatements | None = None,
    clock_table: Any = None,
    boards: RedisBoards | None = None,
    gateways: Callable[[], Awaitable[list[Address]]] = nowhere,
    feed_clock: Pause | None = None,
) -> AsyncIterator[Rest]:
    """Serve the routes on an empty journal. Lists and accounts, which are SQL, are not there unless they are given."""
    keys = load_or_create(folder / "keys")
    clock = FakeClock()
    clock.at = NOW
    journal, users = MemoryJournal(), UserBehaviour(predict, Secrets(keys))
    kinds = Kinds({USER: users, GROUP: GROUP_BEHAVIOUR})
    async with running_shard(journal, behaviour=kinds, clock=clock) as shard:
        runtime = LocalClient(shard, kinds, journal)
        feed = TenantFeed(journal, kinds, feed_clock or SystemClock())
        services = Services(
            runtime=runtime,
            read_model=cast("ReadModel", read_model),
            statements=cast("HostStatements", statements),
            accounts=cast("Accounts", None),
            verifier=Verifier(keys),
            tickets=Tickets(keys, MemorySpentTickets(), clock),
            feed=feed,
            keys=keys,
            epoch="epoch",
            now=clock,
            clock=clock_table,
            boards=boards,
            gateways=gateways,
            readiness=_ready,
        )

        @asynccontextmanager
        async def services_of(_: Litestar) -> AsyncGenerator[Services, None]:
            yield services

        app = build_app(services_of)
        through = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
        async with alive(app), httpx.AsyncClient(transport=through, base_url="http://boond") as http:
            yield Rest(http, keys, journal, clock, services)


@asynccontextmanager
async def alive(app: Litestar) -> AsyncIterator[None]:
    """Hold the application's lifespan in a task of its own: a fixture begins and ends in different ones."""
    up, down = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with app.lifespan():
            up.set()
            await down.wait()

    held = asyncio.create_task(hold())
    await up.wait()
    try:
        yield
    finally:
        down.set()
        await held


async def _ready() -> dict[str, str]:
    return {"postgres": "ready", "shards": "not answering: TimeoutError"}
