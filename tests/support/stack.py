"""Boond without Ray: the real `live` and `api` applications on uvicorn, and real shards, in this one process.

Needs a migrated Postgres (the fixture `database_url`) and a folder for keys. As a program it brings its own Postgres:

    python -m tests.support.stack --port 8000 [--shards 2] [--heartbeat-s 25]

prints `ready URL` and lives until SIGINT or SIGTERM. What it leaves out is Ray, HAProxy and processes: nothing here
says what survives a `kill -9`.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import uvicorn
from litestar import Litestar
from msgspec import structs
from typing_extensions import override
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from actors import migrate, wire
from actors.host import make_shard
from actors.journal import JournalError
from actors.placement import claim_layout
from actors.reports import Reports
from actors.shard import EntityShard
from actors.transport import TransportLost
from serve import composition
from serve.auth.keys import load_or_create
from serve.auth.principal import Role
from serve.auth.tokens import Issuer
from serve.live.frugal import FrugalSocket
from serve.live.gateway import Gateway
from serve.live.protocol import CloseCode
from serve.live.severable import SeverableHttp
from serve.settings import RuntimeConfig
from tests.support.postgres import new_database, server_url
from tests.support.rest import alive

FRAME_BYTES_MAX = 64 * 1024


class LocalShards:
    """`Shards` of this process. One that is killed answers nothing until it is started again."""

    def __init__(self, config: RuntimeConfig) -> None:
        self._config = config
        self._shards: dict[int, EntityShard] = {}
        self._reports: dict[int, Reports] = {}
        self._calls: dict[int, set[asyncio.Task[Any]]] = {number: set() for number in range(config.shards)}

    async def start(self, number: int) -> None:
        """Start a shard: a new incarnation with a new term, which fences the last."""
        shard = make_shard(composition.host_config(self._config), number, lambda: None, self)
        await shard.start()
        self._shards[number], self._reports[number] = shard, Reports()

    async def kill(self, number: int) -> None:
        """End a shard as if killed: whoever waits for it is told that it is lost."""
        shard = self._shards.pop(number)
        for call in self._calls[number]:
            call.cancel()
        await shard.stop()

    async def kill_all(self) -> None:
        """End every shard that runs."""
        for number in tuple(self._shards):
            await self.kill(number)

    async def submit(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.submit`."""
        return wire.encode_outcomes(await self._call(shard, self._of(shard).submit(wire.decode_envelopes(blob))))

    async def pull(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.pull`."""
        try:
            return wire.encode_pulled(await self._call(shard, self._of(shard).pull(wire.decode_pull(blob))))
        except JournalError as error:
            raise TransportLost(f"shard {shard} cannot read the journal now") from error

    async def stats(self) -> list[dict[str, Any]]:
        """See `Shards.stats`."""
        return [structs.asdict(self._of(number).stats()) for number in range(self._config.shards)]

    async def report(self, shard: int, process: str, blob: bytes) -> bool:
        """See `Shards.report`."""
        self._of(shard)
        return self._reports[shard].take(process, blob)

    async def collect(self, shard: int) -> bytes:
        """See `Shards.collect`."""
        return self._reports[shard].collected(f"shard-{shard}", self._of(shard).series())

    def _of(self, number: int) -> EntityShard:
        if number not in self._shards:
            raise TransportLost(f"shard {number} is not there")
        return self._shards[number]

    async def _call(self, number: int, asked: Any) -> Any:
        call = asyncio.ensure_future(asked)
        self._calls[number].add(call)
        try:
            await asyncio.wait({call})
        finally:
            self._calls[number].discard(call)
            call.cancel()
        if call.cancelled():
            raise TransportLost(f"shard {number} was killed")
        return call.result()


class _Server(uvicorn.Server):
    """Leaves the signals of its process alone."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Stack:
    """What runs. `live` and `api` are the two gateways: of `/api/v1/live`, and of the travel app's path."""

    def __init__(self, config: RuntimeConfig, port: int, shards: LocalShards, live: Litestar, api: Litestar) -> None:
        self.config, self.port, self.shards = config, port, shards
        self.url = f"http://127.0.0.1:{port}"
        self._live, self._api = live, api
        self._issuer = Issuer(load_or_create(Path(config.data) / "keys"))

    @property
    def live(self) -> Gateway:
        """The gateway of the live application."""
        return cast("Gateway", self._live.state.gateway)

    @property
    def api(self) -> Gateway:
        """The gateway of the REST application."""
        return cast("Gateway", self._api.state.gateway)

    def token(self, user: str = "asha", role: Role = "user", lifetime_s: int = 900) -> str:
        """Return an access token."""
        return self._issuer.issue(user, now=datetime.now(UTC), lifetime_s=lifetime_s, role=role)

    def bearer(self, user: str = "asha", role: Role = "user") -> dict[str, str]:
        """Return the header of a REST call."""
        return {"Authorization": f"Bearer {self.token(user, role)}"}

    def hang_up(self, code: CloseCode) -> None:
        """Close every socket of the live gateway with this code, as it does itself for a reason."""
        for connection in tuple(self.live._connections):
            connection.finish(code, "a test wants it")

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Lead a request to its application, as the front door does."""
        path = str(scope.get("path", ""))
        mine = path == composition.LIVE_PATH or path.startswith(f"{composition.LIVE_PATH}/")
        await (self._live if mine else self._api)(cast("Any", scope), cast("Any", receive), cast("Any", send))


@asynccontextmanager
async def stack(
    postgres_url: str, folder: Path, *, port: int = 0, shards: int = 1, **settings: Any
) -> AsyncIterator[Stack]:
    """Run everything on a migrated database; `settings` are fields of `RuntimeConfig`. Port 0 takes a free one."""
    config = RuntimeConfig(
        postgres_url=postgres_url,
        namespace="stack",
        instance_id="stack",
        shards=shards,
        data=str(folder),
        version="stack",
        sandbox=True,
        **settings,
    )
    await claim_layout(postgres_url, shards, "stack")
    local = LocalShards(config)
    try:
        for number in range(shards):
            await local.start(number)
        live, api = composition.live_app(config, lambda _: local), composition.api_app(config, lambda _: local)
        listener = socket.create_server(("127.0.0.1", port), backlog=2048)
        running = Stack(config, listener.getsockname()[1], local, live, api)
        server = _Server(
            uvicorn.Config(
                running,
                log_level="warning",
                lifespan="off",
                http=SeverableHttp,
                ws=FrugalSocket,
                ws_per_message_deflate=False,
                ws_max_size=FRAME_BYTES_MAX,
                timeout_graceful_shutdown=2,
            )
        )
        async with _answering(server, listener), alive(live), alive(api):
            yield running
    finally:
        await local.kill_all()


@asynccontextmanager
async def _answering(server: _Server, listener: socket.socket) -> AsyncIterator[None]:
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def _main(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    with tempfile.TemporaryDirectory(prefix="boond-stack-") as folder, new_database(server_url()) as database:
        await asyncio.to_thread(migrate.upgrade, database)
        run = stack(database, Path(folder), port=options.port, shards=options.shards, heartbeat_s=options.heartbeat_s)
        async with run as running:
            sys.stdout.write(f"ready {running.url}\n")
            sys.stdout.flush()
            await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--heartbeat-s", type=float, default=25.0)
    asyncio.run(_main(parser.parse_args()))
