"""The references Boond is measured beside, where they are there: started in the same run, one after another.

`bare_pipeline.py` is the ceiling of the same architecture (no rules, no auth); `conventional.py` is what a user would
pick instead. `BOOND_BENCH_REFERENCE` names their folder.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from serve.embedded import processes
from serve.embedded.haproxy import free_ports
from serve.embedded.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0


class NotServing(RuntimeError):
    """A reference does not start here; the message is its last word."""


def folder() -> Path | None:
    """Return where the references are, None when they are not there."""
    chosen = Path(os.environ.get("BOOND_BENCH_REFERENCE") or ROOT.parent / "shared" / "bench")
    return chosen.resolve() if (chosen / "bare_pipeline.py").is_file() else None


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run an embedded Postgres configured as Boond's own; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="bb-") as place:
        data = Path(place) / "data"
        data.mkdir()
        # The server runs as another user where this one is root, and its socket lies within.
        os.chmod(place, 0o711)
        with EmbeddedPostgres(data, Path(place) / "run") as server:
            yield server.url


@contextlib.contextmanager
def _process(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server in the references' folder until the block ends, with everything it started; yields its port."""
    place = folder()
    assert place is not None
    mark = secrets.token_hex(8)
    path = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
    marks = {processes.MARKER: mark, "SPT_NOENV": "1", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=place, stdout=log, stderr=log, env={**os.environ, **marks, **environment}
        )
        try:
            deadline = time.monotonic() + START_S
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise NotServing(log.read().decode(errors="replace").strip().rpartition("\n")[2])
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            processes.end_all(lambda: processes.marked(mark))
            process.wait()


def _answers(port: int) -> bool:
    """Say whether a purchase is taken."""
    body = b'{"user_id":"u","external_id":"%s","amount":1,"currency":"INR","merchant":"m","description":"d"}'
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/tx",
        body % secrets.token_hex(4).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def bare() -> Iterator[int]:
    """Run the bare pipeline; yields its port."""
    port, metrics, stats, fallback, first = free_ports(5)
    with tempfile.TemporaryDirectory(prefix="br-") as ray_folder, postgres() as url:
        environment = {
            "PGURL": url,
            "PORT": str(port),
            "SECONDS_UP": "600",
            "RAY_TMPDIR": ray_folder,
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + 100),
        }
        with _process([sys.executable, "bare_pipeline.py"], port, environment) as serving:
            yield serving


@contextlib.contextmanager
def conventional() -> Iterator[int]:
    """Run the conventional design; yields its port."""
    port = free_ports(1)[0]
    with postgres() as url:
        parts = conninfo_to_dict(url)
        target = f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
        command = [sys.executable, "-m", "uvicorn", "conventional:app", "--port", str(port), "--workers", "2"]
        with _process([*command, "--log-level", "warning"], port, {"PGURL": target}) as serving:
            yield serving
