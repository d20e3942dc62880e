import os
import subprocess
import sys
from pathlib import Path

import pytest

from serve.embedded import run_folder
from serve.embedded.run_folder import AlreadyRunning, RunFolder, RunFolderUnusable


def test_it_is_the_same_for_one_data_folder_and_another_for_another(tmp_path: Path) -> None:
    assert RunFolder(tmp_path / "a").path == RunFolder(tmp_path / "b" / ".." / "a").path
    assert RunFolder(tmp_path / "a").path != RunFolder(tmp_path / "b").path


def test_it_stays_short_whatever_the_data_folder_and_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(long))
    run = RunFolder(long, {"XDG_RUNTIME_DIR": str(long)})
    assert len(str(run.path)) <= run_folder.LENGTH_MAX
    assert len(str(run.ray)) <= 44


def test_no_short_folder_is_an_error_that_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "_candidates", lambda _environment: [tmp_path / ("d" * 60)])
    with pytest.raises(RunFolderUnusable, match="set TMPDIR"):
        RunFolder(tmp_path)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setattr(run_folder, "_candidates", lambda _environment: [tmp_path])
    monkeypatch.setattr(run_folder, "_fits", lambda _parent, _name: True)
    return RunFolder(tmp_path / "data")


def test_its_parts_are_private(run: RunFolder) -> None:
    run.make()
    run.make()
    assert run.path.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
    assert {p.stat().st_mode & 0o777 for p in (run.ray, run.haproxy, run.empty)} == {0o700}


def test_what_ray_opens_to_everyone_stays_closed(run: RunFolder) -> None:
    run.make()
    run.ray.chmod(0o777)
    assert run.ray.parent.stat().st_mode & 0o077 == 0
    assert run.ray.parent != run.path


def test_what_somebody_else_put_in_its_place_is_refused(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    run.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderUnusable, match="remove it, or set TMPDIR elsewhere"):
        run.make()


def test_clearing_forgets_an_earlier_run(run: RunFolder) -> None:
    run.make()
    (run.ray / "session_1").mkdir()
    run.clear()
    assert list(run.ray.iterdir()) == []


def test_two_on_one_data_folder_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    second = (
        "from pathlib import Path; from serve.embedded.run_folder import *\n"
        f"with exclusive(Path({str(tmp_path)!r})): pass"
    )
    with run_folder.exclusive(tmp_path):
        with (
            pytest.raises(AlreadyRunning, match=rf"in use by another boond \(pid {os.getpid()}\)"),
            run_folder.exclusive(tmp_path),
        ):
            pass
        refused = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True)
    assert "AlreadyRunning" in refused.stderr
    with run_folder.exclusive(tmp_path):
        pass
