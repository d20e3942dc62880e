"""Processes as /proc shows them: who is ours, who survived a `kill -9`, and how to end them without harming others.

Nothing is ever ended by name. Ours carry `BOOND_INSTANCE` in their environment, or work in a folder that is ours.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

MARKER = "BOOND_INSTANCE"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Identity(Struct, frozen=True):
    """A process id with its start time in clock ticks since boot, so that a reused id is another identity."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        """Return whether this very process still runs; a zombie does not."""
        return identity(self.pid) == self


def identity(pid: int) -> Identity | None:
    """Return the identity of a running process, None for one that is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses itself.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else Identity(pid, int(rest[18]))


def die_with_parent(signum: int) -> Callable[[], None]:
    """Return a function for the child, after fork: the kernel sends it `signum` when the thread that forked it ends."""

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)

    return arrange


def _running() -> Iterator[Identity]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := identity(int(entry))):
            yield found


def working_in(folder: Path) -> list[Identity]:
    """Return the processes whose working folder is this very folder, however it is reached."""
    try:
        here = folder.stat()
    except OSError:
        return []
    found = []
    for process in _running():
        with contextlib.suppress(OSError):
            there = os.stat(f"/proc/{process.pid}/cwd")
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                found.append(process)
    return found


def marked(value: str) -> list[Identity]:
    """Return the processes started with `BOOND_INSTANCE=value`, without this one and its ancestors."""
    wanted = f"{MARKER}={value}".encode()
    own = _ancestors()
    found = []
    for process in _running():
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if process.pid not in own and wanted in environment:
                found.append(process)
    return found


def _ancestors() -> set[int]:
    own, pid = set(), os.getpid()
    while pid > 0:
        own.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return own


def children() -> dict[str, Identity]:
    """Return this process's own children by the file name of what they run; of twins, one."""
    found = {}
    for process in _running():
        with contextlib.suppress(OSError):
            if int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
                found[os.path.basename(command[0].decode(errors="replace"))] = process
    return found


def send(process: Identity, signum: int) -> None:
    """Signal this very process; one that is gone is left alone."""
    with contextlib.suppress(ProcessLookupError):
        if process.is_alive():
            os.kill(process.pid, signum)


def wait_until(done: Callable[[], bool], deadline_s: float, poll_s: float = 0.02) -> bool:
    """Poll until `done` says so; return whether it did within the deadline."""
    end = time.monotonic() + deadline_s
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(poll_s)
    return True


def end_all(find: Callable[[], list[Identity]], deadline_s: float = 10.0) -> list[int]:
    """Kill what `find` returns, and what that started meanwhile, until it finds nothing. Returns the ids killed.

    Raises TimeoutError naming those that would not go.
    """
    killed: list[int] = []

    def gone() -> bool:
        left = find()
        for process in left:
            send(process, signal.SIGKILL)
        killed.extend(p.pid for p in left if p.pid not in killed)
        return not left

    if not wait_until(gone, deadline_s):
        raise TimeoutError(f"processes {[p.pid for p in find()]} of an earlier run do not end; end them by hand")
    return killed


def listener_of(port: int) -> str:
    """Return who listens on a TCP port of this machine, as `pid N (command)`, or a guess when it is not ours to see."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                cells = line.split()
                if cells[3] == "0A" and int(cells[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{cells[9]}]")
    for process in _running():
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{process.pid}/fd"):
                if inodes and os.readlink(f"/proc/{process.pid}/fd/{fd}") in inodes:
                    command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                    return f"pid {process.pid} ({command})"
    return "a process this user may not see"
