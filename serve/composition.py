"""The composition root: the one place that knows which implementation stands behind which port."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
from litestar import Litestar
from psycopg_pool import AsyncConnectionPool

from actors import connections, placement, ray_host
from actors.cause import REQUEST_ID, TRACE, about
from actors.client import Client, Sender
from actors.clock import ClockTable, utc_now
from actors.host import HostConfig, Surroundings
from actors.host_statements import HostStatements
from actors.kinds import GROUP, USER, Kinds
from actors.lane import LaneLimits
from actors.limits import Limits as ShardLimits
from actors.messages import Envelope, Meta
from actors.outbox import Handler
from actors.process import ProcessMeasures
from actors.read_model import ReadModel
from actors.runtime import Unavailable
from actors.spent_tickets import SpentTicketTable
from actors.tenant_turns import PooledTenantTurns
from actors.transport import Transport, TransportLost
from adapters.hosts.sandbox import SandboxHost, Submit, left_alone
from adapters.notify.outbox_file import OutboxFile
from adapters.scores.redis_board import RedisBoards
from engine.behaviour import Prediction
from engine.commands import RecordTransaction, ReportResult
from engine.groups.hosting import GROUP_BEHAVIOUR
from engine.hosting import UserBehaviour
from engine.queries import GetOverview
from engine.rewards import leaderboards
from engine.settlement import rows_settlement
from online_ml.categoriser import RuleCategoriser
from serve import envelopes
from serve.api import gateways, tickets
from serve.api.app import build_app as build_api
from serve.api.app import refused
from serve.api.measures import ApiMeasures
from serve.api.routing import handlers
from serve.auth import keys as signing
from serve.auth.accounts import Accounts
from serve.auth.errors import TokenRefused
from serve.auth.passwords import Passwords
from serve.auth.principal import Principal
from serve.auth.sessions import Lifetimes
from serve.auth.tickets import Tickets
from serve.auth.tokens import Verifier
from serve.embedded import capacity
from serve.gateways import Directory, ask_serve, nowhere
from serve.live import ports
from serve.live.gateway import Gateway
from serve.live.limits import Limits as SocketLimits
from serve.live.measures import LiveMeasures
from serve.live.routes import with_socket
from serve.live.sse_route import with_stream
from serve.observe.observatory import Observatory
from serve.problems import UNREADABLE, Trouble, of_decode, of_outcome, of_validation
from serve.services import Services
from serve.settings import RuntimeConfig
from serve.tenant_feed import TenantFeed

LIVE_PATH = "/api/v1/live"
TRAVEL_APP_PATH = "/api/v1/expenses/real-time"
READ_CONNECTIONS_MAX = 6
READY_WITHIN_S = 2.0

LOG = logging.getLogger("boond.composition")
_CATEGORISER = RuleCategoriser()
_EXPENSE = msgspec.json.Decoder(envelopes.TransactionRequest)


class Shards(Transport, Protocol):
    """The way to the shards, which also say how they are."""

    async def stats(self) -> list[dict[str, Any]]:
        """Return the stats of every shard. Raises `TransportLost`."""

    async def report(self, shard: int, process: str, blob: bytes) -> bool:
        """See `ObservedShards.report`."""

    async def collect(self, shard: int) -> bytes:
        """See `ObservedShards.collect`."""


Connect = Callable[[RuntimeConfig], Shards]


def over_ray(config: RuntimeConfig) -> Shards:
    """Return the way to shards that are Ray actors."""
    return ray_host.connect(config.namespace, config.shards)


def predict(command: RecordTransaction) -> Prediction:
    """Ask the categoriser about a transaction."""
    return _CATEGORISER.predict(
        merchant=command.merchant,
        description=command.description,
        mcc=command.mcc,
        amount=command.amount,
        direction=command.direction,
        kind=command.kind,
    )


BEHAVIOUR = UserBehaviour(predict)
KINDS = Kinds({USER: BEHAVIOUR, GROUP: GROUP_BEHAVIOUR})
"""What a shard hosts; named by import path in `HostConfig`, so that nothing is pickled by value."""


def reporting(sender: Sender) -> Submit:
    """Return how the sandbox host reports: as a command of the user, through the shards."""

    async def submit(entity_id: str, command_id: str, command: ReportResult) -> None:
        meta = Meta("host:sandbox", "host", REQUEST_ID.get() or command_id, TRACE.get())
        outcome = await sender.submit(Envelope(entity_id, command_id, msgspec.msgpack.encode(command), meta))
        problem = outcome.problem
        if problem is not None and problem.code == "poison":
            raise RuntimeError(problem.detail)
        if problem is not None:
            LOG.warning(
                "the report of %s is refused: %s", command.instruction_id, problem.code, extra=about(entity=entity_id)
            )

    return submit


def outbox_handlers(around: Surroundings) -> dict[str, Handler]:
    """Return who delivers what turns send, by channel. Called where the loop of the shard runs."""
    config = msgspec.json.decode(around.told, type=RuntimeConfig)
    notifications = OutboxFile(Path(config.data) / "outbox", around.now)
    notifications.begin()
    sandbox = SandboxHost(reporting(around.sender))
    host = sandbox.deliver if config.money_host == "sandbox" else left_alone
    handlers = {"notify": notifications.deliver, rows_settlement.CHANNEL: host}
    # Without a Redis nobody reads scores from one: the records keep them.
    scores = RedisBoards(config.redis_url).deliver if config.redis_url else left_alone
    return {**handlers, leaderboards.CHANNEL: scores}


def host_config(config: RuntimeConfig) -> HostConfig:
    """Return what the shards of this instance are told."""
    limits = ShardLimits(
        snapshot_every=config.snapshot_every,
        idle_s=config.passivate_after_s,
        entities_max=config.entities_max,
        measure=config.metrics,
    )
    return HostConfig(
        postgres_url=config.postgres_url,
        namespace=config.namespace,
        shards=config.shards,
        behaviour="serve.composition:KINDS",
        outside="serve.outside:of_instance",
        handlers="serve.composition:outbox_handlers",
        begin="serve.observing:begin_in_host",
        sandbox=config.sandbox,
        told=msgspec.json.encode(config),
        limits=limits,
    )


@asynccontextmanager
async def open_services(
    config: RuntimeConfig, connect: Connect = over_ray, role: str = "api"
) -> AsyncGenerator[Services, None]:
    """Connect this process to the journal and the shards; everything is closed at the end.

    `role` is the first half of the name that the process has in metrics.
    """
    keys = signing.load_or_create(Path(config.data) / "keys")
    passwords = Passwords()
    transport = connect(config)
    async with connections.pool(config.postgres_url, "boond-reads", size_max=READ_CONNECTIONS_MAX) as pool:
        lifetimes = Lifetimes(access_s=config.access_token_s, refresh_s=config.refresh_token_s)
        boards = RedisBoards(config.redis_url) if config.redis_url else None
        runtime = Client(transport, config.shards, KINDS, pool, LaneLimits(measure=config.metrics))
        measures = ApiMeasures(on=config.metrics)
        observatory = _observatory(config, role, transport) if config.metrics else None
        if observatory is not None:
            observatory.add(runtime.series)
            observatory.add(lambda: measures.seen(passwords, pool))
        feed = TenantFeed(PooledTenantTurns(pool), KINDS, ports.SystemClock())
        try:
            yield Services(
                runtime=runtime,
                read_model=ReadModel(pool, KINDS),
                statements=HostStatements(pool),
                accounts=Accounts(pool, keys, passwords, utc_now, lifetimes),
                verifier=Verifier(keys),
                tickets=Tickets(keys, SpentTicketTable(pool), utc_now, config.service_stream_s),
                feed=feed,
                keys=keys,
                epoch=await placement.stream_id(config.postgres_url),
                now=utc_now,
                clock=ClockTable(pool) if config.sandbox else None,
                boards=boards,
                gateways=Directory(ask_serve, ports.SystemClock()) if config.direct_sockets else nowhere,
                readiness=lambda: _readiness(pool, transport),
                measures=measures,
                observatory=observatory,
            )
        finally:
            await feed.close()
            passwords.close()
            if boards is not None:
                await boards.close()


def _observatory(config: RuntimeConfig, role: str, shards: Shards) -> Observatory:
    return Observatory(f"{role}-{secrets.token_hex(3)}", shards, config.shards, ProcessMeasures(config.version))


async def _readiness(pool: AsyncConnectionPool[Any], transport: Shards) -> dict[str, str]:
    return {"postgres": await _postgres_state(pool), "shards": await _shards_state(transport)}


async def _postgres_state(pool: AsyncConnectionPool[Any]) -> str:
    asked = asyncio.create_task(_ask(pool))
    # Not `wait_for`: a query that is cancelled waits for a server that may never answer.
    await asyncio.wait({asked}, timeout=READY_WITHIN_S)
    if not asked.done():
        asked.cancel()
        return "not reached: no answer"
    error = asked.exception()
    return "ready" if error is None else f"not reached: {type(error).__name__}"


async def _ask(pool: AsyncConnectionPool[Any]) -> None:
    async with pool.connection(timeout=READY_WITHIN_S) as connection:
        await connection.execute("SELECT 1")


async def _shards_state(transport: Shards) -> str:
    try:
        await asyncio.wait_for(transport.stats(), READY_WITHIN_S)
    except (TransportLost, TimeoutError) as error:
        return f"not answering: {type(error).__name__}"
    return "ready"


def _ports(services: Services) -> ports.Ports:
    def verify(token: str) -> Principal:
        try:
            return services.verifier.verify(token, services.now())
        except TokenRefused as error:
            raise ports.TokenRefused(error.detail) from None

    async def redeem(ticket: str) -> Principal:
        try:
            return await services.tickets.redeem(ticket)
        except TokenRefused as error:
            raise ports.TokenRefused(error.detail) from None
        except Unavailable as error:
            raise ports.TicketsAway(error.detail) from None

    def overview(principal: Any) -> Envelope:
        return envelopes.query(principal, principal.entity_id, GetOverview())

    return ports.Ports(
        runtime=services.runtime,
        verify=verify,
        redeem=redeem,
        overview=overview,
        expense=_expense,
        problem=lambda outcome: of_outcome(outcome).document(),
        epoch=services.epoch,
        measures=LiveMeasures(on=services.measures.on),
    )


def _expense(principal: Any, body: bytes, request_id: str) -> Envelope:
    """Decode an `expense` frame exactly as `POST /transactions` decodes its body."""
    try:
        request = _EXPENSE.decode(body)
        return envelopes.transaction(principal, request, request.user_id, request_id)
    except msgspec.ValidationError as error:
        raise ports.ExpenseRefused(of_validation(error).document()) from None
    except UNREADABLE as error:
        raise ports.ExpenseRefused(of_decode(error).document()) from None
    except Trouble as trouble:
        raise ports.ExpenseRefused(trouble.document()) from None


def _socket_limits(config: RuntimeConfig) -> SocketLimits:
    """Return the limits of a gateway; fewer sockets where the open files of this process do not carry them."""
    most = capacity.replica_sockets_max(capacity.nofile_soft(), SocketLimits().sockets_max)
    return SocketLimits(heartbeat_s=config.heartbeat_s, sockets_max=most)


@asynccontextmanager
async def _with_gateway(
    app: Litestar, config: RuntimeConfig, connect: Connect, role: str
) -> AsyncGenerator[Services, None]:
    async with open_services(config, connect, role) as services:
        gateway = Gateway(_ports(services), _socket_limits(config))
        app.state.gateway, app.state.origins = gateway, config.origins
        observatory = services.observatory
        if observatory is not None:
            observatory.add(gateway.series)
            observatory.begin()
        try:
            yield services
        finally:
            await gateway.close()
            if observatory is not None:
                await observatory.close()


def live_app(config: RuntimeConfig, connect: Connect = over_ray) -> Litestar:
    """Return the application that holds sockets and nothing else: a REST redeploy never touches it."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None, None]:
        async with _with_gateway(app, config, connect, "live") as services:
            app.state.services = services
            yield

    app = Litestar(
        handlers([*tickets.ROUTES, *gateways.ROUTES], lambda: app.state.services, stripped="/live"),
        lifespan=[lifespan],
        exception_handlers={Exception: refused},
        openapi_config=None,
        logging_config=None,
    )
    # Serve strips its prefix from the path the application sees.
    return with_stream(with_socket(app, "/", LIVE_PATH), "/sse", f"{LIVE_PATH}/sse")


def api_app(config: RuntimeConfig, connect: Connect = over_ray) -> Litestar:
    """Return the REST application, which also answers the travel app's socket."""
    return with_socket(build_api(lambda app: _with_gateway(app, config, connect, "api")), TRAVEL_APP_PATH)
