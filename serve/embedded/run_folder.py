"""The run folder: one short-lived, short-named folder a data folder, for sockets, Ray's session and generated files.

Ray refuses temporary folders over some 45 characters, and a Unix socket's path ends at 107: it cannot live in DATA.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from serve.embedded.processes import identity

LENGTH_MAX = 38
"""So that `RUN/ray/s` stays under Ray's limit."""


class RunFolderUnusable(RuntimeError):
    """No place for the run folder, or somebody else's folder in its place. The message says what to do."""


class AlreadyRunning(RuntimeError):
    """Another `boond up` holds this data folder."""


def instance_of(data: Path) -> str:
    """Return the id of a data folder on this machine: stable over restarts, different for every folder and user."""
    return hashlib.sha256(f"{os.getuid()}:{data.resolve()}".encode()).hexdigest()[:10]


def _candidates(environment: Mapping[str, str]) -> list[Path]:
    named = [environment.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp", "/var/tmp"]
    return [Path(p).resolve() for p in named if p]


def _is_searchable_by_all(folder: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def _fits(parent: Path, name: str) -> bool:
    if not parent.is_dir() or len(str(parent / name)) > LENGTH_MAX or not os.access(parent, os.W_OK | os.X_OK):
        return False
    # As root, Postgres runs as another user who must reach its socket folder.
    return os.geteuid() != 0 or _is_searchable_by_all(parent)


class RunFolder:
    """Paths inside the run folder. Making it twice is the same folder."""

    def __init__(self, data: Path, environment: Mapping[str, str] | None = None) -> None:
        self.instance = instance_of(data)
        name = f"boond-{self.instance}"
        tried = _candidates(os.environ if environment is None else environment)
        parent = next((p for p in tried if _fits(p, name)), None)
        if parent is None:
            raise RunFolderUnusable(
                f"no folder for sockets among {', '.join(map(str, tried))}: set TMPDIR to a writable folder whose path "
                f"has at most {LENGTH_MAX - len(name) - 1} characters"
            )
        self.path = parent / name
        self.postgres = self.path / "pg"
        self.redis = self.path / "redis"
        # Ray opens its folder to every user of the machine, who could then put files of their own into it: one above
        # is closed.
        self.ray = self.path / "ray" / "s"
        self.haproxy = self.path / "haproxy"
        self.empty = self.path / "cwd"

    def make(self) -> None:
        """Make the folders, private to this user. Others may search root's: Postgres then runs as another user."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode)
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RunFolderUnusable(f"{self.path} belongs to user {found.st_uid}: remove it, or set TMPDIR elsewhere")
        self.path.chmod(mode)
        for folder in (self.ray.parent, self.ray, self.haproxy, self.empty):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    def clear(self) -> None:
        """Forget an earlier run: old sessions and generated files. Only when nothing of it runs any more."""
        for folder in (self.ray, self.haproxy, self.empty):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, exist_ok=True)

    def remove(self) -> None:
        """Remove it whole, after an orderly stop."""
        shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Hold the data folder for this process. The lock ends with the process, however it ends.

    Raises AlreadyRunning, naming the holder.
    """
    path = data / "boond.lock"
    with open(path, "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            known = f" (pid {holder})" if holder.isdigit() and identity(int(holder)) else ""
            raise AlreadyRunning(f"{data} is in use by another boond{known}: stop it, or use another --data") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
