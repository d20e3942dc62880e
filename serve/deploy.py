"""The two Ray Serve applications: `live` holds sockets below its own prefix, `api` answers everything else.

Imports Ray Serve, which reads its environment at once: import this only after `up` has set it.
"""

import asyncio
import importlib
import logging
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import ray
import uvicorn
from ray import serve as ray_serve
from typing_extensions import override

from actors.collector import calm
from serve import departure
from serve.live.frugal import FrugalSocket
from serve.live.guarded import GuardedSocket
from serve.live.severable import SeverableHttp
from serve.observing import begin_in_replica
from serve.settings import RuntimeConfig, Settings

LOG = logging.getLogger("boond.deploy")
LIVE_PREFIX = "/api/v1/live"
LOOPBACK = "127.0.0.1"
FRAME_BYTES_MAX = 64 * 1024
ONGOING_MAX = 20_000
"""An open socket counts as an ongoing request for its whole life; Serve's default is 5."""

LIVE_BUILDER = "serve.composition:live_app"
API_BUILDER = "serve.composition:api_app"


class _FrugalConfig(uvicorn.Config):
    """uvicorn's configuration without deflate (42 KB a socket) and with our limits; Serve has no setting for them."""

    protocol: type[GuardedSocket] = GuardedSocket
    http_protocol: Any = "auto"

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("ws_per_message_deflate", False)
        options.setdefault("ws_max_size", FRAME_BYTES_MAX)
        options.setdefault("ws", self.protocol)
        options.setdefault("http", self.http_protocol)
        super().__init__(*args, **options)


def limit_sockets() -> list[object]:
    """Make the servers this process starts later frugal with sockets. Returns no middleware, as Serve's hook wants."""
    uvicorn.Config = _FrugalConfig  # type: ignore[misc]
    return []


def keep_to_loopback(*, sockets_too: bool) -> None:
    """On a node that is on loopback, bind the servers of this replica there too: nobody else needs to reach them.

    Serve 2.60 opens its gRPC server, which asks no token, to every network. With `sockets_too` also the HTTP server,
    which Serve binds where the front door is: seen from outside it would be a second door, without a limit.
    """
    from ray.serve._private import replica

    node_address = ray.util.get_node_ip_address()
    if node_address != LOOPBACK:
        return
    open_port = replica.add_port_to_grpc_server

    def open_on_loopback(server: Any, address: str) -> int:
        return cast("int", open_port(server, address.replace("[::]", node_address)))

    replica.add_port_to_grpc_server = open_on_loopback
    if sockets_too:
        _serve_on_loopback()


def hide_fallback() -> list[object]:
    """Keep the proxy that Serve starts beside HAProxy on loopback too: nobody is led there. For Serve's hook.

    Replicas pass through that hook as well; what they serve on is theirs to say (`keep_to_loopback`).
    """
    in_replica = uvicorn.Config is _FrugalConfig
    if not in_replica and ray.util.get_node_ip_address() == LOOPBACK:
        _serve_on_loopback()
    return []


class _LoopbackSocket(socket.socket):
    """A listener on loopback, whatever address it is told."""

    def __init__(self, _family: int, kind: int) -> None:
        super().__init__(socket.AF_INET, kind)

    @override
    def bind(self, address: Any, /) -> None:
        super().bind((LOOPBACK, address[1]))


def _serve_on_loopback() -> None:
    """Have the HTTP servers that Serve 2.60 starts in this process listen on loopback; it has no setting for it.

    Serve's proxy is pickled whole, so only what it looks up elsewhere can be replaced: where it makes its socket.
    """
    from ray.serve._private import http_util

    names: Any = SimpleNamespace(**vars(socket))
    names.socket = _LoopbackSocket
    http_util.socket = names


class _NoRequestIds:
    """In place of Serve's own middleware, which answers any `X-Request-ID` unread and as a second header: ours does."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def leave_request_ids_to_us() -> None:
    """Keep Serve 2.60 from answering request ids; it has no setting for it."""
    from ray.serve._private import http_util

    http_util.RequestIdMiddleware = _NoRequestIds


def resolve(path: str) -> Callable[[RuntimeConfig], Any]:
    """Return the builder at `module:function`."""
    module, _, name = path.partition(":")
    return cast("Callable[[RuntimeConfig], Any]", getattr(importlib.import_module(module), name))


class Gateway:
    """What a replica is made from: the path of a builder and the configuration. The app is built on the replica."""

    def __init__(self, process: str, builder: str, config: bytes) -> None:
        # Serve starts the replica's servers after this constructor.
        limit_sockets()
        # Not so in Serve's own proxy, which watches the sockets it passes on, and pickles what it knows of a request.
        _FrugalConfig.protocol, _FrugalConfig.http_protocol = FrugalSocket, SeverableHttp
        leave_request_ids_to_us()
        self._builder = builder
        self._app: Any = None
        self._config = msgspec.json.decode(config, type=RuntimeConfig)
        begin_in_replica(self._config, process)
        keep_to_loopback(sockets_too=not self._config.direct_sockets)
        departure.move_first(self._move, self._config.move_s)

    def __serve_build_asgi_app__(self) -> Any:
        self._app = resolve(self._builder)(self._config)
        departure.heed_sigterm(asyncio.get_running_loop(), self._move)
        calm()
        return self._app

    async def _move(self, longest_s: float) -> None:
        """Move what sockets the app has; until it has begun it has none."""
        gateway = None if self._app is None else getattr(self._app.state, "gateway", None)
        if gateway is not None:
            await gateway.close(longest_s)


def _application(name: str, builder: str, replicas: int, config: RuntimeConfig) -> Any:
    deployment = ray_serve.deployment(
        ray_serve.ingress()(Gateway),
        name=name,
        num_replicas=replicas,
        max_ongoing_requests=ONGOING_MAX,
        max_queued_requests=1_000,
        ray_actor_options={"num_cpus": 0},
        # The replica that comes is ready before the one that goes lets its sockets go.
        max_surge_percent=100,
        graceful_shutdown_timeout_s=config.move_s + departure.ROOM_S,
        graceful_shutdown_wait_loop_s=0.5,
        # Serve notices a dead replica by this alone: with its 10 s a lost gateway is back a quarter of a minute later.
        health_check_period_s=2,
        health_check_timeout_s=30,
    )
    return deployment.bind(name.lower(), builder, msgspec.json.encode(config))


def _quiet(settings: Settings) -> dict[str, Any]:
    """Return how Serve logs: its files stand in the run folder and nobody redacts them, so no more than warnings."""
    return {"enable_access_log": False, "log_level": "ERROR" if settings.log_level == "error" else "WARNING"}


def targets(
    settings: Settings, config: RuntimeConfig, live: str = LIVE_BUILDER, api: str = API_BUILDER
) -> list[ray_serve.RunTarget]:
    """Return both applications, the one with the sockets first; `ray_serve.run_many` starts or replaces them.

    `live` and `api` are paths `module:function` of builders that make a Litestar app from a RuntimeConfig. To replace
    one leaves the other application, and its sockets, alone.
    """
    parts = (
        (_application("Live", live, settings.live_replicas, config), "live", LIVE_PREFIX),
        (_application("Api", api, settings.api_replicas, config), "api", "/"),
    )
    return [
        ray_serve.RunTarget(application, name=name, route_prefix=prefix, logging_config=_quiet(settings))
        for application, name, prefix in parts
    ]


def start(settings: Settings, config: RuntimeConfig, live: str = LIVE_BUILDER, api: str = API_BUILDER) -> None:
    """Start Serve and both applications (see `targets`); returns when they run and the front door knows them."""
    try:
        ray_serve.start(
            proxy_location="HeadOnly",
            http_options={"host": settings.host, "port": settings.port, "request_timeout_s": None},
            logging_config=_quiet(settings),
        )
    except ray.exceptions.RayActorError as error:
        # Serve's controller lives and starts another front door; whoever waits for readiness waits for that.
        LOG.warning("the front door was slow to come up and is started again: %s", error)
    ray_serve.run_many(targets(settings, config, live, api))


def stop(*, outlived: bool) -> None:
    """End both applications, the one with the sockets first: they move, then replicas finish what they answer.

    `outlived` by a Ray that is not ours, Serve is ended too: else its front door would hold the port. Our own Ray ends
    with all that is in it.
    """
    for name in ("live", "api"):
        ray_serve.delete(name)
    if outlived:
        ray_serve.shutdown()
