import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.embedded import processes
from serve.embedded.processes import Identity

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, processes.MARKER: "unit-mark"}
    with subprocess.Popen(SLEEPER, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        yield child
        child.kill()


def test_a_process_is_known_by_its_mark_and_by_its_working_folder(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert [p.pid for p in processes.marked("unit-mark")] == [sleeper.pid]
    assert [p.pid for p in processes.working_in(tmp_path)] == [sleeper.pid]
    assert processes.marked("unit-mar") == []


def test_this_process_is_never_its_own_leftover(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from serve.embedded.processes import marked; print(marked('own-mark'))"
    monkeypatch.setenv(processes.MARKER, "own-mark")
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_dead_process_and_a_reused_id_are_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    alive = processes.identity(sleeper.pid)
    assert alive is not None
    assert alive.is_alive()
    assert not Identity(alive.pid, alive.started - 1).is_alive()
    sleeper.kill()
    # Not yet waited for: a zombie.
    assert processes.wait_until(lambda: not alive.is_alive(), 5)


def test_a_signal_to_a_reused_id_reaches_nobody(sleeper: subprocess.Popen[bytes]) -> None:
    alive = processes.identity(sleeper.pid)
    assert alive is not None
    processes.send(Identity(alive.pid, alive.started - 1), signal.SIGKILL)
    assert alive.is_alive()


def test_leftovers_are_ended_and_counted(sleeper: subprocess.Popen[bytes]) -> None:
    assert processes.end_all(lambda: processes.marked("unit-mark")) == [sleeper.pid]
    assert processes.marked("unit-mark") == []


def test_what_does_not_end_is_named() -> None:
    stubborn = Identity(2**22 + 1, 0)
    with pytest.raises(TimeoutError, match=str(stubborn.pid)):
        processes.end_all(lambda: [stubborn], deadline_s=0.05)


def test_a_child_dies_with_its_parent() -> None:
    code = (
        "import subprocess, sys, signal\nfrom serve.embedded.processes import die_with_parent\n"
        "end = die_with_parent(signal.SIGKILL)\n"
        f"child = subprocess.Popen({SLEEPER!r}, preexec_fn=end, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = processes.identity(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
    assert processes.wait_until(lambda: not child.is_alive(), 5)


def test_a_listener_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert f"pid {os.getpid()} " in processes.listener_of(server.getsockname()[1])
