"""Servers as processes of their own: how each is started, which process is watched, and what it uses."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from serve.embedded.haproxy import free_ports
from tests.support.boond_up import UpFromOutside

START_S = 90.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
DEFLATE_OFF = ("--ws-per-message-deflate", "false")


class Server(Struct, frozen=True):
    """Where a server takes sockets, and the process that holds them."""

    port: int
    path: str
    pid: int
    door: int = 0
    """The front door's process, where there is one."""


def resident_kb(pid: int) -> float:
    """Return the resident size of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1024


def cpu_s(pid: int) -> float:
    """Return what a process has used of the CPU since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def allow_sockets() -> None:
    """Raise this process's limit of open files as far as it may go; those it starts inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def takes_connections(port: int) -> bool:
    """Say whether somebody listens."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def process(command: Sequence[str], port: int) -> Iterator[int]:
    """Run a program that listens on a port until the block ends; yields its pid."""
    with tempfile.TemporaryFile() as log:
        running = subprocess.Popen(list(command), stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_S
            while not takes_connections(port):
                if running.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(log.read().decode(errors="replace")[-2000:])
                time.sleep(0.05)
            yield running.pid
        finally:
            running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(5)
            running.kill()
            running.wait()


@contextlib.contextmanager
def uvicorn(factory: str, path: str, *more: str) -> Iterator[Server]:
    """Run an app alone under uvicorn, without deflate, as Boond's replicas run theirs."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--port", str(port), "--log-level", "warning"]
    with process([*command, *DEFLATE_OFF, *more], port) as pid:
        yield Server(port, path, pid)


@contextlib.contextmanager
def serve(module: str, path: str) -> Iterator[tuple[list[Server], Server]]:
    """Run an app on Ray Serve behind HAProxy; yields its replicas by their own ports, and the front door to them."""
    with tempfile.TemporaryDirectory(prefix="bb-") as place:
        if os.geteuid() == 0:
            os.chmod(place, 0o711)
        with UpFromOutside(Path(place) / "data", module=module) as up:
            running = [identity.pid for identity in up.processes()]
            replicas = pids_of(running, b"ray::ServeReplica:live")
            [door] = pids_of(running, b"haproxy")[:1]
            direct = [Server(listening_port(replica), path, replica) for replica in replicas]
            yield direct, Server(up.port, path, replicas[0], door)


def pids_of(pids: Sequence[int], words: bytes) -> list[int]:
    """Return those of these processes whose command line begins with, or whose program is, `words`; at least one."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if line.startswith(words) or Path(line.split(b"\0")[0].decode()).name.encode() == words:
                found.append(pid)
    if not found:
        raise RuntimeError(f"no process {words.decode()!r} among {pids}")
    return found


def listening_port(pid: int) -> int:
    """Return the port on which a replica takes HTTP: of those it listens on, the one in Serve's range."""
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes and 20_000 <= port < 31_000:
                return port
    raise RuntimeError(f"process {pid} listens on no port of a replica")
