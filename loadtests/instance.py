"""The Boond under load: one of our own on a temporary folder, or one that runs already; its tokens and processes."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

READY_S = 180.0
STOP_S = 90.0
TITLES: Mapping[str, str] = {
    "ray::Shard": "shard",
    "ray::ServeReplica:live": "live replica",
    "ray::ServeReplica:api": "api replica",
}
"""Parts by how their command line begins."""


class InstanceFailed(RuntimeError):
    """Boond did not start, or lacks what a run needs; the message says what to do."""


class Instance:
    """A Boond: where it answers, and the data folder that gives tokens and marks its processes."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url.rstrip("/")
        self.data = data

    def tokens(self, user: str, count: int | None = None, role: str = "user") -> list[str]:
        """Return access tokens from the `boond token` command: of `user`, or of `user-0` to `user-<count - 1>`."""
        command = [sys.executable, "-m", "serve.cli", "token", "--data", str(self.data), "--user", user, "--role", role]
        if count is not None:
            command += ["--count", str(count)]
        printed = subprocess.run(command, capture_output=True, text=True, check=False)
        if printed.returncode:
            raise InstanceFailed(f"boond token --data {self.data}: {printed.stderr.strip()}")
        return printed.stdout.split()

    def processes(self) -> list[psutil.Process]:
        """Return this instance's processes: `boond up` marks them in their environment; and their descendants.

        Postgres writes its title over the environment of its backends, so those are known by their parent alone.
        """
        everyone = {process.pid: process for process in psutil.process_iter(["ppid"])}
        ours = {pid for pid, process in everyone.items() if self._is_marked(process)}
        while True:
            born = {pid for pid, process in everyone.items() if pid not in ours and process.info["ppid"] in ours}
            if not born:
                return [everyone[pid] for pid in ours]
            ours |= born

    def _is_marked(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return process.environ().get("BOOND_DATA") == str(self.data)
        return False

    def part(self, process: psutil.Process) -> str:
        """Return what a process is: `shard`, `live replica`, `haproxy`, `postgres`, or its own name."""
        with contextlib.suppress(psutil.Error, OSError):
            line = " ".join(process.cmdline())
            for title, part in TITLES.items():
                if line.startswith(title):
                    return part
            if line.startswith("postgres") or process.name() == "postgres":
                return "postgres"
            return "other Ray" if line.startswith("ray::") or "/ray/" in line else process.name()
        return "gone"

    def kill(self, part: str) -> int:
        """Kill a part of that name at once, without a word to it, and return its pid. Raises `InstanceFailed`."""
        for process in self.processes():
            if self.part(process).split()[0] == part:
                process.kill()
                return process.pid
        raise InstanceFailed(f"there is no process of {part} to kill: is --data the folder of the Boond at --url?")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_ready(process: subprocess.Popen[str], url: str, log: Path) -> None:
    assert process.stdout is not None
    guard = threading.Timer(READY_S, process.kill)
    guard.start()
    try:
        for line in process.stdout:
            if line.strip() == f"ready {url}":
                threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
                return
    finally:
        guard.cancel()
    raise InstanceFailed(f"boond up ended with {process.wait()}; its log says:\n{log.read_text()[-2000:]}")


def _drain(stdout: IO[str]) -> None:
    with stdout:
        for _ in stdout:
            pass


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def own(log: Path) -> Iterator[Instance]:
    """Start `boond up` on a temporary folder and a free port; stop it and remove the folder at the end."""
    with tempfile.TemporaryDirectory(prefix=f"loadtest-{secrets.token_hex(2)}-") as folder:
        instance = Instance(f"http://127.0.0.1:{_free_port()}", Path(folder) / "data")
        port = instance.url.rpartition(":")[2]
        command = [sys.executable, "-m", "serve.cli", "up", "--data", str(instance.data), "--port", port]
        with log.open("ab") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, text=True
            )
        try:
            _await_ready(process, instance.url, log)
            yield instance
        finally:
            _end(process)
