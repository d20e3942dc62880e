"""Where gateways take sockets without the front door: the addresses of the replicas of `live`, as Serve knows them.

A replica's port changes with every start, so a client asks before it connects. Serve's controller knows who runs: a
replica that died or is on its way out is not on the list.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from serve.live.ports import Clock

FRESH_S = 1.0
"""How long an answer is passed on before Serve is asked again: thousands may come back at once."""
ASKED_S = 2.0
LIVE = "live"

_log = logging.getLogger(__name__)


class Address(Struct, frozen=True, order=True):
    """Where a replica listens."""

    ip: str
    port: int

    def url(self, host: str, path: str) -> str:
        """Return it for a client that reached us as `host` (`name[:port]`); only a client here finds loopback."""
        name = host.rpartition(":")[0] or host if not host.endswith("]") else host
        if not self.ip.startswith("127.") or not name:
            name = self.ip
        return f"ws://{name}:{self.port}{path}"


async def ask_serve() -> list[Address]:
    """Return where the running replicas of `live` listen. Raises RayError when the controller does not answer."""
    import ray
    from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

    controller = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    groups = await controller.get_target_groups.remote(LIVE, from_proxy_manager=True)
    return sorted(Address(target.ip, target.port) for group in groups for target in group.targets)


async def nowhere() -> list[Address]:
    """Return no address: only the front door takes sockets."""
    return []


class Directory:
    """Passes on what Serve says, and asks it once a second at most; what it said last holds while it is silent."""

    def __init__(self, ask: Callable[[], Awaitable[list[Address]]], clock: Clock) -> None:
        self._ask, self._clock = ask, clock
        self._known: list[Address] = []
        self._asked_at = float("-inf")
        self._turn = asyncio.Lock()

    async def __call__(self) -> list[Address]:
        """Return the addresses known now."""
        async with self._turn:
            if self._clock.monotonic() - self._asked_at >= FRESH_S:
                await self._refresh()
        return self._known

    async def _refresh(self) -> None:
        try:
            self._known = await asyncio.wait_for(self._ask(), ASKED_S)
        except Exception as error:
            # Whoever finds nobody at an old address comes back through the front door.
            _log.info("Serve does not say where gateways are: %r", error)
        self._asked_at = self._clock.monotonic()
