"""`boond up` driven from outside, as a terminal does: a session of its own, killed or signalled as a whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from serve.embedded import processes
from serve.embedded.haproxy import free_ports
from serve.embedded.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]


class UpFromOutside:
    """One `up` in a process group of its own. `module` is what is run with the data folder and the port."""

    def __init__(self, data: Path, port: int | None = None, module: str = "tests.support.tiny_up") -> None:
        self.data = data
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.run = RunFolder(data)
        self.log = data.with_suffix(".log")
        # As for `boond up &` in a script: SIGINT is ignored until somebody asks for it.
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(data), str(self.port)],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
            )

    def wait_ready(self) -> Self:
        """Wait for the line `ready URL`; an `up` that ends before fails with its last words."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line == f"ready {self.url}\n".encode():
                return self
        raise AssertionError(f"up ended with {self._reap()}: {self.log.read_text()[-2000:]}")

    def kill_all(self) -> None:
        """`kill -9` of the whole group."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self._reap()

    def stop(self, signum: int = signal.SIGINT) -> int:
        """Signal it and return its exit code."""
        self.process.send_signal(signum)
        return self._reap()

    def get(self, path: str) -> httpx.Response:
        """GET without following anything."""
        return httpx.get(self.url + path, timeout=10)

    def processes(self) -> list[processes.Identity]:
        """Everything of this instance that runs, Postgres too."""
        return processes.marked(self.run.instance)

    def _reap(self) -> int:
        code = self.process.wait(60)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self.wait_ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        else:
            self._reap()
        processes.end_all(self.processes)
        self.run.remove()
