"""The embedded PostgreSQL: a real server on `DATA/postgres`, reached through a Unix socket only.

The server works *in* its data folder and is told `-D /proc/self/cwd`. So it needs no way through the parents of DATA,
which may be closed to it: as root it runs as another user, and DATA may lie below a 0700 folder. Its working folder is
also how a survivor of a `kill -9` is known for sure, whatever its process id.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg

from serve.embedded import processes
from serve.embedded.postgres_binaries import binaries
from serve.embedded.processes import Identity

ROLE = "boond"
DATABASE = "boond"
RECOVERY_S = 120.0
"""Crash recovery replays at most `max_wal_size`; on a slow disk that takes a while."""

DEFAULTS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",
    "wal_level": "replica",
    "min_wal_size": "256MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "io_method": "sync",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_naptime": "30s",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    # A detail quotes the row, a statement its literals: neither is for a log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}


class PostgresFailed(RuntimeError):
    """The embedded server did not start, or does not answer. The message ends with its last words."""


class EmbeddedPostgres:
    """One server for one data folder. Start it from the main thread: it goes when the thread that started it ends.

    A `kill -9` of the parent makes the kernel send it SIGINT (fast shutdown): it neither lingers nor loses anything.
    """

    def __init__(
        self,
        data: Path,
        sockets: Path,
        *,
        log: Path | None = None,
        parameters: Mapping[str, str] | None = None,
        user: str = "nobody",
    ) -> None:
        self.data = data.resolve()
        self.cluster = self.data / "postgres"
        self.sockets = sockets
        self.log = log or self.data / "logs" / "postgres.log"
        self._parameters = {**DEFAULTS, **(parameters or {})}
        self._user = user
        self._server: Identity | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self.adopted = False

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while one is known."""
        return self._server.pid if self._server else None

    @property
    def url(self) -> str:
        """The address of the database, for psycopg and SQLAlchemy alike."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.sockets), safe='')}"

    def is_alive(self) -> bool:
        """Return whether the postmaster still runs."""
        return bool(self._server and self._server.is_alive())

    def start(self) -> str:
        """Start the server (again), or adopt one that already runs on this folder; returns the address once it answers.

        Makes the cluster first when there is none; a half-made one is made anew. Raises PostgresFailed.
        """
        self._make_folders()
        if not self.cluster.exists():
            self._initialise()
        self._server = self._survivor()
        self.adopted = self._server is not None
        if self._server is None:
            self._launch()
        self._make_database()
        return self.url

    def stop(self, deadline_s: float = 15.0) -> None:
        """Shut down fast: sessions end, a checkpoint is written. After the deadline, at once: the journal recovers."""
        server = self._server
        if server is None:
            return
        for signum, wait_s in ((signal.SIGINT, deadline_s), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            processes.send(server, signum)
            if processes.wait_until(lambda: not server.is_alive(), wait_s):
                break
        if self._child:
            self._child.wait(5)
        self._server = self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_folders(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            account = self._account()
            os.chown(self.sockets, account.pw_uid, account.pw_gid)
        elif self.cluster.exists() and self.cluster.stat().st_uid != os.geteuid():
            owner = self.cluster.stat().st_uid
            raise PostgresFailed(f"{self.cluster} belongs to user {owner}: run as that user or as root, or chown it")

    def _account(self) -> pwd.struct_passwd:
        """Return whom root runs the server as: the owner of an existing cluster, else `user`."""
        if self.cluster.exists() and (owner := self.cluster.stat().st_uid) != 0:
            with contextlib.suppress(KeyError):
                return pwd.getpwuid(owner)
        try:
            return pwd.getpwnam(self._user)
        except KeyError:
            raise PostgresFailed(
                f"running as root needs the user {self._user!r} for PostgreSQL, which refuses root: add it, run boond "
                "as another user, or set BOOND_POSTGRES_URL"
            ) from None

    def _as_owner(self, folder: Path) -> dict[str, Any]:
        """Return how a child works in `folder` as its owner. The folder is entered before the user changes."""
        how: dict[str, Any] = {"cwd": folder, "umask": 0o077, "stdin": subprocess.DEVNULL}
        if os.geteuid() == 0:
            account = self._account()
            how |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return how

    def _program(self, name: str) -> str:
        return str(binaries(for_another_user=os.geteuid() == 0) / name)

    def _initialise(self) -> None:
        """Make the cluster beside its place and rename it when it is whole, so that a half-made one is never used."""
        making = self.data / "postgres.new"
        processes.end_all(lambda: processes.working_in(making))
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        how = self._as_owner(making)
        if "user" in how:
            os.chown(making, how["user"], how["group"])
        command = [
            self._program("initdb"),
            "-D",
            "/proc/self/cwd",
            "-U",
            ROLE,
            "--auth-local=trust",
            "--auth-host=reject",
        ]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += ["--data-checksums", "--no-instructions"]
        made = subprocess.run(
            command, capture_output=True, text=True, preexec_fn=processes.die_with_parent(signal.SIGKILL), **how
        )
        if made.returncode:
            raise PostgresFailed(f"initdb failed for {self.cluster}: {made.stderr.strip()[-800:]}")
        making.rename(self.cluster)
        _sync_folder(self.data)

    def _survivor(self) -> Identity | None:
        """Return a postmaster of this folder that serves. Wait for one that is going; end what one left behind."""
        for _ in range(3):
            ours = {p.pid: p for p in processes.working_in(self.cluster)}
            recorded = self._recorded()
            postmaster = ours.get(int(recorded[0])) if recorded and recorded[0].isdigit() else None
            if postmaster is None:
                # Sessions of a killed postmaster end by themselves; Postgres refuses to start beside them.
                if not processes.wait_until(lambda: not processes.working_in(self.cluster), 2.0):
                    processes.end_all(lambda: processes.working_in(self.cluster))
                # Its process id may be another's by now, which Postgres would take for a running server.
                (self.cluster / "postmaster.pid").unlink(missing_ok=True)
                return None
            processes.send(postmaster, signal.SIGCONT)
            if len(recorded) > 4 and recorded[4]:
                self.sockets = Path(recorded[4])
            if self._wait_for_answer(postmaster):
                return postmaster
        raise PostgresFailed(
            f"a PostgreSQL of an earlier run on {self.cluster} neither serves nor ends; see {self.log}"
        )

    def _recorded(self) -> list[str]:
        """Return the lines of postmaster.pid: process id, folder, start, port, socket folder, ..."""
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _launch(self) -> None:
        if self.log.exists() and self.log.stat().st_size > 10 * 2**20:
            self.log.replace(self.log.with_suffix(".log.1"))
        if self._child:
            # Of an earlier start, dead by now: let it go from the process table.
            self._child.poll()
        # Nothing of ours runs, but Postgres takes a zombie, or whoever has the recorded id now, for a running server.
        for stale in self.sockets.glob(".s.PGSQL.*"):
            stale.unlink()
        command = [self._program("postgres"), "-D", "/proc/self/cwd"]
        for name, value in {**self._parameters, "unix_socket_directories": str(self.sockets)}.items():
            command += ["-c", f"{name}={value}"]
        # A name of our own, so that `ps` tells whose server this is.
        command += ["-c", f"boond.data={self.data}"]
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGINT),
                **self._as_owner(self.cluster),
            )
        server = processes.identity(self._child.pid)
        if server is None or not self._wait_for_answer(server):
            self._child.kill()
            self._child.wait()
            raise PostgresFailed(f"PostgreSQL on {self.cluster} did not start. {self._last_words()}")
        self._server = server

    def _wait_for_answer(self, server: Identity) -> bool:
        """Wait until the server takes connections; False when it ended, or after the time a crash recovery may take."""
        end = time.monotonic() + RECOVERY_S
        while server.is_alive() and time.monotonic() < end:
            with contextlib.suppress(psycopg.OperationalError):
                self._connect("postgres").close()
                return True
            time.sleep(0.02)
        return False

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.sockets), user=ROLE, dbname=database, autocommit=True, connect_timeout=5, options="-c jit=off"
        )

    def _make_database(self) -> None:
        with self._connect("postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return f"{self.log} ends with:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return ""


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
