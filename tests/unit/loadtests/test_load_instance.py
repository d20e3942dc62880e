import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.instance import Instance, InstanceFailed

WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={})
print(child.pid, flush=True)
input()
child.communicate(b"\\n")
"""


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Return the pids of a process that carries the mark, and of its child that does not."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "BOOND_DATA": str(tmp_path)},
        text=True,
    )
    assert process.stdout is not None
    yield process.pid, int(process.stdout.readline())
    process.communicate("\n", timeout=20)


def test_an_instance_is_its_marked_processes_and_their_descendants(tmp_path: Path, marked: tuple[int, int]) -> None:
    assert {process.pid for process in Instance("http://boond/", tmp_path).processes()} == set(marked)
    assert Instance("http://boond/", tmp_path / "other").processes() == []


def test_a_part_that_is_not_there_cannot_be_killed(tmp_path: Path) -> None:
    with pytest.raises(InstanceFailed, match="no process of shard"):
        Instance("http://boond", tmp_path).kill("shard")


def test_a_folder_without_keys_to_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstanceFailed, match="boond token"):
        Instance("http://boond", tmp_path / "file").tokens("asha")
