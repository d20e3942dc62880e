"""Ray, started for this instance alone or joined where an operator runs it.

`RAY_*` variables are read when Ray is imported and when its processes start: set the environment first, import after.
"""

import atexit
import contextlib
import logging
import os
import secrets
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from serve.embedded import processes
from serve.embedded.processes import Identity
from serve.embedded.run_folder import RunFolder
from serve.settings import boond_version

OBJECT_STORE_BYTES = 100 * 2**20
LOGICAL_CPUS = 8
"""Only bookkeeping: actors of ours ask for none. Ray also keeps about so many idle workers at hand."""


class WrongCluster(RuntimeError):
    """The Ray cluster cannot be joined, or runs another Ray or another boond."""


def ray_environment(run: RunFolder) -> dict[str, str]:
    """Return what Ray's processes must find. Makes the token with which they recognise each other."""
    token = run.path / "ray-token"
    with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    return {
        # Otherwise a worker's title overwrites its environment, and nobody can tell any more whose worker it is.
        "SPT_NOENV": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        # Named for other systems; off, it makes every process of Ray listen on loopback only.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # An event for each call of an actor, kept for `ray list tasks`: what our calls do is in the journal.
        "RAY_task_events_report_interval_ms": "0",
        "RAY_enable_metrics_collection": "0",
        # A table of its loops a minute and process, read by nobody, into six files of half a gigabyte each.
        "RAY_event_stats_print_interval_ms": "600000",
        "RAY_ROTATION_MAX_BYTES": str(8 * 2**20),
        "RAY_ROTATION_BACKUP_COUNT": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(":") if p),
    }


_apart = False


@cache
def _follow() -> None:
    """Have children that begin while `_apart` holds lead a process group of their own. Once for all: it stays."""

    def leave() -> None:
        if _apart:
            os.setpgid(0, 0)

    os.register_at_fork(after_in_child=leave)


@contextlib.contextmanager
def _apart_from_our_group() -> Iterator[None]:
    """Start Ray's processes where no signal to our group reaches them; the kernel still ends them with us.

    `timeout`, systemd and a terminal signal the whole group. Ray's processes would then end before they are asked to,
    and Ray's own threads in this process exit on the spot, with code 1, when they notice.
    """
    global _apart
    _follow()
    _apart = True
    try:
        yield
    finally:
        _apart = False


@contextlib.contextmanager
def _our_signals_kept() -> Iterator[None]:
    """Keep Ray from taking SIGTERM: its handler raises `SystemExit` wherever the program is, or nowhere at all.

    Ray 2.60 has no setting for it; it sets the handler through this one function.
    """
    from ray._private import utils

    theirs = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda _handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = theirs


class RayNode:
    """A Ray of our own, or a connection to another's. `start` before anything that imports Ray's state."""

    def __init__(self, run: RunFolder, namespace: str, address: str = "") -> None:
        self._run = run
        self._namespace = namespace
        self._address = address
        self._own: dict[str, Identity] = {}

    def start(self) -> None:
        """Start Ray in an empty folder, as workers import from their working folder first. Raises WrongCluster."""
        import ray

        quiet: dict[str, Any] = {"namespace": self._namespace, "log_to_driver": False, "logging_level": logging.ERROR}
        if self._address:
            try:
                with _our_signals_kept():
                    ray.init(address=self._address, **quiet)
            except (RuntimeError, ConnectionError) as error:
                raise WrongCluster(f"cannot join the Ray cluster at {self._address}: {error}") from error
            self._refuse_other_versions()
            return
        os.chdir(self._run.empty)
        with _apart_from_our_group(), _our_signals_kept():
            ray.init(
                address="local",
                include_dashboard=False,
                num_cpus=LOGICAL_CPUS,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=str(self._run.ray),
                _node_ip_address="127.0.0.1",
                **quiet,
            )
        self._own = {n: p for n, p in processes.children().items() if n in ("raylet", "gcs_server")}

    def dead(self) -> str | None:
        """Return the name of a part of Ray that ended by itself, None while all live."""
        return next((name for name, process in self._own.items() if not process.is_alive()), None)

    def stop(self) -> None:
        """Disconnect; a Ray of our own ends with its workers."""
        import ray

        with contextlib.suppress(Exception):
            ray.shutdown()

    def abandon(self) -> None:
        """Forget a Ray that is dead: otherwise its own hook asks for it once more when this process exits."""
        from ray._private import worker

        atexit.unregister(worker.shutdown)

    def _refuse_other_versions(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ours = boond_version()
        asked = ray.remote(num_cpus=0)(boond_version)
        for node in (n for n in ray.nodes() if n["Alive"]):
            affinity = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            try:
                theirs = ray.get(asked.options(scheduling_strategy=affinity).remote(), timeout=60)
            except ray.exceptions.RayError as error:
                raise WrongCluster(
                    f"node {node['NodeManagerAddress']} cannot run boond {ours}: {error}. Install the same wheel there"
                ) from error
            if theirs != ours:
                raise WrongCluster(
                    f"node {node['NodeManagerAddress']} runs boond {theirs}, this is {ours}: install the same wheel"
                )
