"""Shards as Ray actors: the only file of the runtime that knows Ray.

Detached and named, so they outlive who started them; restarted by Ray for ever; never retried by Ray, because the
client retries with the same command id.
"""

import asyncio
import logging
import os
from typing import Any

import ray
from msgspec import structs
from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, RayActorError

from actors.collector import calm
from actors.host import HostConfig, load, make_shard
from actors.journal import JournalDown, JournalError
from actors.placement import claim_layout
from actors.process import ProcessMeasures
from actors.reports import Reports
from actors.transport import TransportLost
from actors.wire import decode_envelopes, decode_pull, encode_outcomes, encode_pulled

_log = logging.getLogger(__name__)

_FENCED_EXIT = 71
_CLAIM_PAUSE_S = 0.5
_CALLS_AT_ONCE = 1000


class Shard:
    """The Ray actor. Its constructor claims the term, so a restarted one is a new incarnation that fences the last."""

    async def __init__(self, config: HostConfig, shard: int) -> None:  # type: ignore[misc]  # Ray awaits it
        if config.begin:
            load(config.begin)(config.told, _name(shard))
        self._config = config
        self._name = _name(shard)
        self._reports = Reports()
        self._process = ProcessMeasures(config.release, on=config.limits.measure)
        self._watch = asyncio.create_task(self._process.watch())
        self._shard = make_shard(config, shard, self._exit, connect(config.namespace, config.shards))
        while True:
            try:
                await self._shard.start()
            except JournalDown as error:
                _log.warning("shard %d waits for its journal: %s", shard, error)
                await asyncio.sleep(_CLAIM_PAUSE_S)
            else:
                break
        calm()

    @staticmethod
    def _exit() -> None:
        """End the process: what is in memory is void. Ray starts another, which claims a new term."""
        logging.shutdown()
        os._exit(_FENCED_EXIT)

    async def submit(self, blob: bytes) -> bytes:
        """Carry out msgpack list[Envelope]; return msgpack list[Outcome]."""
        return encode_outcomes(await self._shard.submit(decode_envelopes(blob)))

    async def pull(self, blob: bytes) -> bytes | None:
        """Long-poll with a msgpack Pull; return a msgpack Pulled, None when the journal cannot be read now."""
        try:
            return encode_pulled(await self._shard.pull(decode_pull(blob)))
        except JournalError as error:
            _log.warning("feed: %s", error)
            return None

    async def stats(self) -> dict[str, Any]:
        """Return `actors.shard.Stats` as a dict, with the pid and what the host was told."""
        told = {"pid": os.getpid(), "shards": self._config.shards, "release": self._config.release}
        return {**structs.asdict(self._shard.stats()), **told}

    async def report(self, process: str, blob: bytes) -> bool:
        """Keep what a process says of itself; False when there is no room."""
        return self._reports.take(process, blob)

    async def collect(self) -> bytes:
        """Return what this process counts, and what was reported to it (`actors.reports`)."""
        return self._reports.collected(self._name, [*self._shard.series(), *self._process.series()])

    async def drain(self) -> None:
        """Stop taking commands, commit, keep snapshots."""
        try:
            await self._shard.drain()
        except JournalError as error:
            _log.warning("drain: %s", error)
        finally:
            # The next thing that happens to this process is that it is killed.
            for handler in logging.getLogger().handlers:
                handler.flush()


def _name(shard: int) -> str:
    return f"shard-{shard}"


def _handle(namespace: str, shard: int) -> Any | None:
    try:
        return ray.get_actor(_name(shard), namespace=namespace)
    except ValueError:
        return None


async def _told(handle: Any) -> tuple[Any, Any] | None:
    """Return layout and release of a running shard, None when it does not say."""
    try:
        stats = await asyncio.wait_for(handle.stats.remote(), 5.0)
    except (RayActorError, GetTimeoutError, TimeoutError):
        return None
    return stats["shards"], stats["release"]


async def start_shards(config: HostConfig) -> "RayTransport":
    """Make the layout of `config` the instance's, start what is missing, and return when every shard works.

    Shards of another layout or release are ended first; their place in the journal is fenced. Needs `ray.init`.
    """
    await claim_layout(config.postgres_url, config.shards, config.namespace)
    beyond = config.shards
    while (handle := _handle(config.namespace, beyond)) is not None:
        ray.kill(handle)
        beyond += 1
    handles = []
    for shard in range(config.shards):
        handle = _handle(config.namespace, shard)
        if handle is not None and await _told(handle) != (config.shards, config.release):
            ray.kill(handle)
            await _gone(config.namespace, shard)
            handle = None
        handles.append(handle or _start(config, shard))
    await asyncio.gather(*(handle.stats.remote() for handle in handles))
    return RayTransport(config.namespace, config.shards)


def _start(config: HostConfig, shard: int) -> Any:
    return (
        ray.remote(Shard)
        .options(
            name=_name(shard),
            namespace=config.namespace,
            lifetime="detached",
            max_restarts=-1,
            max_task_retries=0,
            num_cpus=0,
            max_concurrency=_CALLS_AT_ONCE,
        )
        .remote(config, shard)
    )


async def _gone(namespace: str, shard: int) -> None:
    """Wait until the name of a killed actor is free again."""
    while _handle(namespace, shard) is not None:
        await asyncio.sleep(0.02)


def connect(namespace: str, shards: int) -> "RayTransport":
    """Return the way to the shards of a running instance."""
    return RayTransport(namespace, shards)


class RayTransport:
    """`Transport` over Ray calls; also what an operator asks of shards."""

    def __init__(self, namespace: str, shards: int) -> None:
        self._namespace = namespace
        self._shards = shards
        self._handles: dict[int, Any] = {}

    def _shard(self, shard: int) -> Any:
        handle = self._handles.get(shard)
        if handle is None:
            handle = _handle(self._namespace, shard)
            if handle is None:
                raise TransportLost(f"no actor {_name(shard)} in namespace {self._namespace}")
            self._handles[shard] = handle
        return handle

    async def _ask(self, shard: int, method: str, *arguments: Any) -> Any:
        try:
            return await getattr(self._shard(shard), method).remote(*arguments)
        except (ActorUnavailableError, ActorDiedError, RayActorError) as error:
            if isinstance(error, ActorDiedError):
                self._handles.pop(shard, None)
            raise TransportLost(f"{_name(shard)}: {type(error).__name__}") from error

    async def submit(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.submit`."""
        answer: bytes = await self._ask(shard, "submit", blob)
        return answer

    async def pull(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.pull`."""
        answer: bytes | None = await self._ask(shard, "pull", blob)
        if answer is None:
            raise TransportLost(f"{_name(shard)} cannot read the journal now")
        return answer

    async def stats(self) -> list[dict[str, Any]]:
        """Return the stats of every shard. Raises `TransportLost`."""
        return list(await asyncio.gather(*(self._ask(shard, "stats") for shard in range(self._shards))))

    async def report(self, shard: int, process: str, blob: bytes) -> bool:
        """Leave with a shard what a process says of itself; False when it has no room. Raises `TransportLost`."""
        kept: bool = await self._ask(shard, "report", process, blob)
        return kept

    async def collect(self, shard: int) -> bytes:
        """Return what a shard counts and what was reported to it, encoded. Raises `TransportLost`."""
        answer: bytes = await self._ask(shard, "collect")
        return answer

    async def drain(self) -> None:
        """Drain every shard that answers, for a clean stop."""
        asked = (self._ask(shard, "drain") for shard in range(self._shards))
        await asyncio.gather(*asked, return_exceptions=True)

    def kill(self) -> None:
        """End every shard for good; Ray starts them no more."""
        for shard in range(self._shards):
            handle = _handle(self._namespace, shard)
            if handle is not None:
                ray.kill(handle)
