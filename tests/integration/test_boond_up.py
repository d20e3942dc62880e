import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from serve.embedded import processes
from serve.embedded.postgres import EmbeddedPostgres
from tests.support.boond_up import ROOT, UpFromOutside


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A closed folder, as `mktemp -d` makes it."""
    path = Path(tempfile.mkdtemp(prefix="bup-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def boond(folder: Path) -> Iterator[UpFromOutside]:
    with UpFromOutside(folder / "shared") as up:
        yield up


def _postgres(up: UpFromOutside) -> str:
    return EmbeddedPostgres(up.data, up.run.postgres).url


def _answers(up: UpFromOutside, path: str = "/api/v1/config") -> bool:
    try:
        return up.get(path).status_code == 200
    except httpx.HTTPError:
        return False


def test_each_application_sees_the_paths_that_are_its_own(boond: UpFromOutside) -> None:
    assert boond.get("/api/v1/live").json()["root_path"] == "/api/v1/live"
    assert boond.get("/api/v1/live/status").json()["path"] == "/status"
    config = boond.get("/api/v1/config").json()
    assert config["instance"] == boond.run.instance
    assert boond.get("/api/v1/live").json()["pid"] != config["pid"]


def test_replicas_run_in_an_empty_folder_where_nothing_shadows_an_import(boond: UpFromOutside) -> None:
    where = Path(boond.get("/api/v1/config").json()["cwd"])
    assert where == boond.run.empty
    assert list(where.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/api/v1/live", ("/api/v1/live", "/")),
        ("/api/v1/live/more", ("/api/v1/live", "/more")),
        ("/api/v1/expenses/real-time", ("", "/api/v1/expenses/real-time")),
    ],
)
async def test_sockets_open_without_deflate_and_refuse_large_frames(
    boond: UpFromOutside, path: str, seen: tuple[str, str]
) -> None:
    async with connect(f"ws://127.0.0.1:{boond.port}{path}") as socket:
        scope: dict[str, Any] = json.loads(await socket.recv())
        assert (scope["root_path"], scope["path"]) == seen
        assert socket.response
        assert "sec-websocket-extensions" not in socket.response.headers
        await socket.send("x" * 60_000)
        assert len(await asyncio.wait_for(socket.recv(), 10)) == 60_000
        await socket.send("x" * 70_000)
        with pytest.raises(ConnectionClosedError) as closed:
            await asyncio.wait_for(socket.recv(), 10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4008


def _listening() -> dict[str, str]:
    """Return the hex address of every listening TCP socket by its inode."""
    lines = [line.split() for t in ("tcp", "tcp6") for line in Path(f"/proc/net/{t}").read_text().splitlines()[1:]]
    return {f"socket:[{cells[9]}]": cells[1].rpartition(":")[0] for cells in lines if cells[3] == "0A"}


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{fd}")


def test_nothing_listens_beyond_loopback(boond: UpFromOutside) -> None:
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    table = _listening()
    own = [process.pid for process in boond.processes()] + [boond.process.pid]
    addresses = [table[name] for pid in own for name in _open_files(pid) if name in table]
    assert len(addresses) > 8
    assert set(addresses) <= loopback


def test_shown_to_every_network_only_the_front_door_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOND_HOST", "0.0.0.0")
    with UpFromOutside(folder / "shown") as up:
        assert _answers(up)
        listening = {name: place for name, place in _ports().items() if place[0] == "00000000"}
        own = [process.pid for process in up.processes()] + [up.process.pid]
        assert {listening[name][1] for pid in own for name in _open_files(pid) if name in listening} == {up.port}


def _ports() -> dict[str, tuple[str, int]]:
    """Return the hex address and the port of every listening IPv4 socket by its inode."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = {f"socket:[{cells[9]}]": cells[1].split(":") for cells in lines if cells[3] == "0A"}
    return {name: (address, int(port, 16)) for name, (address, port) in places.items()}


def test_a_second_up_on_the_same_folder_is_refused_by_name(boond: UpFromOutside) -> None:
    second = UpFromOutside(boond.data)
    with pytest.raises(AssertionError, match=rf"in use by another boond \(pid {boond.process.pid}\)"):
        second.wait_ready()
    assert second.process.stdout
    second.process.stdout.close()
    assert _answers(boond)


def test_a_taken_port_is_refused_before_anything_starts(boond: UpFromOutside, folder: Path) -> None:
    second = UpFromOutside(folder / "elsewhere", boond.port)
    with pytest.raises(AssertionError, match=rf"127.0.0.1:{boond.port} is taken by pid \d+"):
        second.wait_ready()
    assert second.process.stdout
    second.process.stdout.close()
    assert not (second.data / "postgres").exists()


def test_a_replica_that_died_is_a_503_problem_with_retry_after_until_it_is_back(boond: UpFromOutside) -> None:
    os.kill(boond.get("/api/v1/config").json()["pid"], signal.SIGKILL)
    answer = boond.get("/api/v1/config")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["status"] == 503
    assert processes.wait_until(lambda: _answers(boond), 60, poll_s=0.1)


def test_a_front_door_that_died_is_opened_again(boond: UpFromOutside) -> None:
    doors = {p.pid for p in boond.processes() if b"haproxy\0-db" in Path(f"/proc/{p.pid}/cmdline").read_bytes()}
    assert doors
    for door in doors:
        os.kill(door, signal.SIGKILL)
    assert processes.wait_until(lambda: not _answers(boond), 5)
    assert processes.wait_until(lambda: _answers(boond), 20)


def test_a_postgres_that_died_is_started_again_and_said_so(boond: UpFromOutside) -> None:
    with psycopg.connect(_postgres(boond), autocommit=True) as connection:
        connection.execute("CREATE TABLE before_the_kill ()")
    postmaster = int((boond.data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)

    def is_back() -> bool:
        try:
            with psycopg.connect(_postgres(boond)) as connection:
                connection.execute("TABLE before_the_kill")
            return True
        except psycopg.OperationalError:
            return False

    assert processes.wait_until(is_back, 30)
    assert "postgres ended by itself and is started again" in boond.log.read_text()


def test_beside_another_it_survives_a_kill_of_its_group_and_stops_without_a_trace(
    boond: UpFromOutside, folder: Path
) -> None:
    first = UpFromOutside(folder / "own").wait_ready()
    with psycopg.connect(_postgres(first), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept ()")
    first.kill_all()
    with UpFromOutside(first.data, first.port) as again:
        assert _answers(again)
        assert _answers(boond)
        with psycopg.connect(_postgres(again)) as connection:
            connection.execute("TABLE kept")
        assert again.stop(signal.SIGTERM) == 0
        assert again.processes() == []
        assert not again.run.path.exists()
        assert not processes.working_in(again.data / "postgres")
    assert _answers(boond)


def test_when_ray_dies_it_says_so_and_exits_with_an_error(folder: Path) -> None:
    with UpFromOutside(folder / "ray") as up:
        [raylet] = [p for p in up.processes() if b"raylet/raylet" in Path(f"/proc/{p.pid}/cmdline").read_bytes()]
        os.kill(raylet.pid, signal.SIGKILL)
        assert up.process.wait(60) != 0
        assert "Ray's raylet ended by itself" in up.log.read_text()
        assert up.processes() == []


def test_the_doctor_says_what_is_missing() -> None:
    command = [sys.executable, "-m", "serve.cli", "doctor", "--data", "/dev/null/data", "--port", "1"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert asked.returncode == 1
    assert "FAIL data folder" in asked.stdout
    assert "ok   front door: HAProxy" in asked.stdout


def test_no_other_user_of_the_machine_reaches_what_ray_keeps(boond: UpFromOutside) -> None:
    """Ray opens its session to everyone: whoever could write there could put a socket or a file of their own in it."""
    session = (boond.run.ray / "session_latest").resolve()
    ways = [session, *session.parents][: len(session.relative_to(boond.run.path).parts)]
    assert any(folder.stat().st_mode & 0o077 == 0 for folder in ways)


def test_a_signal_to_the_whole_group_stops_it_in_order(folder: Path) -> None:
    """As `timeout` and systemd send it. Ray's processes must not hear it: whoever asks one that is gone waits."""
    with UpFromOutside(folder / "grouped") as up:
        os.killpg(up.process.pid, signal.SIGTERM)
        assert up.process.wait(40) == 0, up.log.read_text()[-3000:]
        assert "not waiting" not in up.log.read_text()
        assert processes.wait_until(lambda: not up.processes(), 10)
        assert not up.run.path.exists()


def test_a_signal_while_ray_starts_stops_it_without_a_trace(folder: Path) -> None:
    """Ray takes SIGTERM for itself in `ray.init`; `up` exited with 15 and left its folder, or went on for ever."""
    up = UpFromOutside(folder / "early")
    try:
        assert processes.wait_until(lambda: any(p for p in up.processes() if _name(p) == "raylet"), 40)
        assert up.stop(signal.SIGTERM) == 0, up.log.read_text()[-3000:]
        assert processes.wait_until(lambda: not up.processes(), 10)
        assert not up.run.path.exists()
    finally:
        processes.end_all(up.processes)
        up.run.remove()


def _name(process: processes.Identity) -> str:
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""
