"""The generator's own processes: holders that take commands, and Locust."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from loadtests.holder import Command, Report
from loadtests.lines import Weather
from loadtests.plan import VARIABLE

ROOT = Path(__file__).resolve().parents[1]


class WorkerFailed(RuntimeError):
    """A process of the generator ended before its time; the message has its last words."""


def _nice(level: int) -> list[str]:
    return ["nice", "-n", str(level)] if level else []


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, **more}


class _Answer(msgspec.Struct):
    answer: msgspec.Raw


_answer = msgspec.json.Decoder(_Answer)


class HolderProcess:
    """A holder, driven a line at a time."""

    def __init__(self, folder: Path, number: int, url: str, tokens: Sequence[tuple[str, str]], weather: Weather,
                 seed: int, nice: int) -> None:  # fmt: skip
        self.log = folder / f"pushes-{number}.txt"
        self._words = folder / f"holder-{number}.log"
        listed = folder / f"tokens-{number}.txt"
        listed.write_text("".join(f"{user} {token}\n" for user, token in tokens), encoding="utf-8")
        listed.chmod(0o600)
        self.sockets = len(tokens)
        command = [*_nice(nice), sys.executable, "-m", "loadtests.holder", "--commands", "--url", url]
        command += ["--tokens", str(listed), "--log", str(self.log), "--sockets", str(len(tokens)), "--seed", str(seed)]
        command += ["--every-s", str(weather.every_s)]
        for line in ("goes", "resets", "lags", "silent"):
            command += [f"--{line}", str(getattr(weather, line))]
        with self._words.open("wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=_environment({})
            )

    def send(self, command: Command) -> None:
        """Give a command."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(msgspec.json.encode(command) + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._died()

    def answer(self) -> msgspec.Raw:
        """Return the answer, as JSON, to the oldest command that has none yet. Raises `WorkerFailed`."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._died()
        return _answer.decode(line).answer

    def stop(self) -> Report:
        """Have every socket left and the process end; return what it saw."""
        self.send(Command(do="stop"))
        report = msgspec.json.decode(self.answer(), type=Report)
        self.process.wait(10)
        return report

    def end(self) -> None:
        """End it if it runs still."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _died(self) -> None:
        code = self.process.wait(10)
        raise WorkerFailed(f"a holder ended with {code}: {self._words.read_text()[-1000:]}")


class LocustProcess:
    """Locust, headless, on a plan."""

    def __init__(self, plan: Path, users: int, seconds: float, html: Path, nice: int) -> None:
        self._words = plan.parent / "locust.log"
        command = [*_nice(nice), sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]
        command += ["--headless", "--users", str(users), "--spawn-rate", "100", "--run-time", f"{int(seconds)}s"]
        command += ["--stop-timeout", "60", "--exit-code-on-error", "0", "--only-summary", "--html", str(html)]
        with self._words.open("wb") as words:
            self.process = subprocess.Popen(
                command, stdout=words, stderr=words, env=_environment({VARIABLE: str(plan)}), cwd=plan.parent
            )

    def wait_for(self, file: Path, within_s: float) -> str:
        """Return the text of a file that it writes. Raises `WorkerFailed`."""
        give_up = time.monotonic() + within_s
        while not file.exists():
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise WorkerFailed(f"Locust did not begin within {within_s:g} s: {self.words()}")
            time.sleep(0.05)
        return file.read_text(encoding="utf-8")

    def wait(self, within_s: float) -> None:
        """Wait until it has ended. Raises `WorkerFailed` when it ends with an error or not at all."""
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise WorkerFailed(f"Locust did not end within {within_s:g} s: {self.words()}") from None
        if code:
            raise WorkerFailed(f"Locust ended with {code}: {self.words()}")

    def words(self) -> str:
        """Return the last of what it said."""
        return self._words.read_text(encoding="utf-8", errors="replace")[-1500:]

    def end(self) -> None:
        """End it if it runs still."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
