"""How many sockets this machine carries, and what of it sets the limit: plain sums over what the kernel says.

A connection costs the front door two file descriptors, and one port of the kernel's to the replica behind it. Measured
on the way here: 74 KB a socket through HAProxy, both processes and the kernel's buffers together.
"""

import resource
from pathlib import Path

from msgspec import Struct

SOCKETS_MAX = 20_000
"""The front door's own ceiling, where the machine has none below it."""
FRONT_DOOR_FILES = 400
"""Listeners, health checks, a reload's twin: what HAProxy holds beside its connections."""
REPLICA_FILES = 1_000
"""Ray, Postgres, logs, REST: what a replica holds beside its sockets."""
REPLICA_NOFILE_MAX = 65_536
"""Ray raises the soft limit of its processes to the hard one, but not beyond this."""
BACKLOG = 2_048
"""Connections uvicorn and HAProxy let wait to be accepted; the kernel cuts it to `somaxconn`."""
SOCKET_KIB = 80
"""Memory of a socket with all that belongs to it, with room to spare."""


class Kernel(Struct, frozen=True, kw_only=True):
    """What the kernel grants this user: open files of one process, ports of outgoing connections, waiting ones."""

    nofile_hard: int
    ports: int
    somaxconn: int


def _number(name: str, default: int) -> int:
    try:
        return int(Path("/proc/sys/net", name).read_text())
    except (OSError, ValueError):
        return default


def _ports() -> int:
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return 28_232
    return int(last) - int(first) + 1


def nofile_hard() -> int:
    """Return the hard limit of open files; no limit counts as a million."""
    return _nofile()[1]


def nofile_soft() -> int:
    """Return the limit of open files that holds for this process now; no limit counts as a million."""
    return _nofile()[0]


def _nofile() -> tuple[int, int]:
    soft, hard = (
        1_000_000 if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, hard


def of_this_machine() -> Kernel:
    """Return what holds for this process and what it starts. Where Linux does not say, its defaults count."""
    return Kernel(nofile_hard=nofile_hard(), ports=_ports(), somaxconn=_number("core/somaxconn", 4_096))


class TooManySockets(ValueError):
    """More connections asked for than the machine carries; the message says what limits them and how to raise it."""


def connections_max(wanted: int, kernel: Kernel, replicas: int) -> int:
    """Return the front door's connections: `wanted`, or with 0 as many as open files and ports carry.

    Each of `replicas` that hold sockets has an address of its own, so all ports serve it. Raises TooManySockets.
    """
    by_files = max(0, (kernel.nofile_hard - FRONT_DOOR_FILES) // 2)
    by_ports = kernel.ports * replicas
    needed = max(wanted, 100)
    if needed > by_files:
        raise TooManySockets(
            f"the hard limit of open files is {kernel.nofile_hard}, which carries {by_files} connections, not "
            f"{needed}: raise it (`ulimit -Hn {2 * needed + FRONT_DOOR_FILES}` as root) or lower sockets_max"
        )
    if needed > by_ports:
        raise TooManySockets(
            f"the kernel has {kernel.ports} ports to each of {replicas} replicas, not {needed}: widen "
            "net.ipv4.ip_local_port_range, raise live_replicas or lower sockets_max"
        )
    return wanted or min(SOCKETS_MAX, by_files, by_ports)


def replica_sockets_max(nofile: int, most: int) -> int:
    """Return how many sockets one replica may hold: `most`, or fewer where its open files do not carry them."""
    return max(0, min(most, min(nofile, REPLICA_NOFILE_MAX) - REPLICA_FILES))


def memory_mib(sockets: int) -> int:
    """Return what so many open sockets want."""
    return sockets * SOCKET_KIB // 1_024
