"""Drives `boond up` from outside, as a wallet's back end, a phone and an operator do."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from serve.embedded.haproxy import free_ports

READY_S = 120
BOOND = Path(sys.executable).parent / "boond"
PASSWORD = "correct horse battery 9!"


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait until a condition holds; fail naming it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Boond:
    """One `boond up` on a data folder."""

    def __init__(self, data: Path, port: int | None = None, settings: dict[str, str] | None = None) -> None:
        self.data = data
        self.settings = settings or {}
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None
        self.up_s = 0.0
        self._open = contextlib.ExitStack()

    def start(self) -> "Boond":
        """Start it, and return when it says `ready URL`."""
        began = time.monotonic()
        log = self.data.parent / f"{self.data.name}.log"
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [BOOND, "up", "--data", self.data, "--port", str(self.port)],
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, **self.settings},
                text=True,
            )
        assert self.process.stdout is not None
        guard = threading.Timer(READY_S, self.process.kill)
        guard.start()
        for line in self.process.stdout:
            if line.strip() == f"ready {self.url}":
                break
        else:
            guard.cancel()
            raise AssertionError(f"boond up ended with {self.process.wait()}:\n{log.read_text()[-3000:]}")
        guard.cancel()
        reader = threading.Thread(target=_drain, args=(self.process.stdout,), daemon=True)
        reader.start()
        self._open.callback(reader.join, 10)
        self.up_s = time.monotonic() - began
        return self

    def close(self) -> None:
        """Close the clients that were handed out."""
        self._open.close()

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(60)

    def kill(self) -> None:
        """Kill everything of its process group at once, as a power cut would."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def token(self, user: str, role: str = "user") -> str:
        """Return a token from the `boond token` command."""
        command = [str(BOOND), "token", "--data", str(self.data), "--user", user, "--role", role]
        printed: str = subprocess.check_output(command, text=True)
        return printed.strip().splitlines()[-1]

    def client(self, token: str | None = None) -> httpx.Client:
        """Return an HTTP client below /api/v1."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30)
        return self._open.enter_context(client)

    def sign_up(self, email: str, **more: Any) -> dict[str, Any]:
        """Sign a person up and return the tokens."""
        body = {"email": email, "password": PASSWORD, "name": "Asha", **more}
        answer = httpx.post(f"{self.url}/api/v1/signup", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        signed_up: dict[str, Any] = answer.json()
        return signed_up

    @contextlib.asynccontextmanager
    async def live(
        self, token: str, resume: dict[str, Any] | None = None, path: str = "/api/v1/live"
    ) -> AsyncIterator[tuple[ClientConnection, dict[str, Any]]]:
        """Open the socket and authenticate; yields it with its `ready` frame."""
        url = f"ws://127.0.0.1:{self.port}{path}"
        async with connect(url, subprotocols=["boond.v1"], compression=None) as ws:  # type: ignore[list-item]
            assert (await receive(ws))["t"] == "hello"
            await ws.send(json.dumps({"t": "auth", "token": token, **({"resume": resume} if resume else {})}))
            ready = await receive(ws)
            assert ready["t"] == "ready", ready
            yield ws, ready

    def processes(self, title: str) -> list[int]:
        """Return the pids of this instance whose command line begins with `title`."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not folder.name.isdigit() or not (folder / "cmdline").read_bytes().startswith(title.encode()):
                    continue
                if str(self.data).encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found


def _drain(stdout: IO[str]) -> None:
    with stdout:
        for _ in stdout:
            pass


async def receive(ws: ClientConnection, seconds: float = 20) -> dict[str, Any]:
    """Return the next frame."""
    frame: dict[str, Any] = json.loads(await asyncio.wait_for(ws.recv(), seconds))
    return frame


async def turns_until(ws: ClientConnection, head: int, seconds: float = 30) -> list[int]:
    """Return the seqs of turn frames up to and including `head`."""
    got: list[int] = []
    while not got or got[-1] < head:
        frame = await receive(ws, seconds)
        if frame["t"] == "turn":
            got.append(frame["seq"])
    return got


def purchase(external_id: str, amount: int, **more: Any) -> dict[str, Any]:
    """Return the body of a purchase."""
    return {"external_id": external_id, "source": "upi", "amount": amount, "currency": "INR", **more}


@contextlib.contextmanager
def running(data: Path, port: int | None = None, settings: dict[str, str] | None = None) -> Iterator[Boond]:
    """Start an instance, `settings` in its environment, and stop it at the end whatever happened."""
    boond = Boond(data, port, settings)
    boond.start()
    try:
        yield boond
    finally:
        if boond.process is not None and boond.process.poll() is None:
            boond.stop()
        boond.close()
