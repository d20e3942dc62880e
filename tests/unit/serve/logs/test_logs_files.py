"""The file of a process: bounded, turned over, one a process, and never in the way."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from serve.logs import process
from serve.logs.files import FileHandler, Limits, LogFile, LogFolderFull
from serve.logs.lines import formatter


@pytest.fixture
def quiet() -> Iterator[None]:
    """Loggers as they were."""
    names = ("", *process.OURS, *process.ASIDE)
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    assert logging.getLogger("ray.serve").propagate
    assert {name: logging.getLogger(name).level for name in names} == levels


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_lines_are_written_in_order_by_the_time_it_is_flushed_or_closed(tmp_path: Path) -> None:
    file = LogFile(tmp_path, "api", Limits(linger_s=60))
    for n in range(100):
        file.write(f"line {n}")
    file.flush()
    assert lines(tmp_path / "api.log") == [f"line {n}" for n in range(100)]
    file.write("last")
    file.close()
    assert lines(tmp_path / "api.log")[-1] == "last"


def test_a_warning_does_not_wait(tmp_path: Path) -> None:
    written = threading.Event()

    class Watched(LogFile):
        @override
        def flush(self) -> None:
            super().flush()
            written.set()

    file = Watched(tmp_path, "api", Limits(linger_s=3_600))
    file.write("quick", urgent=True)
    assert written.wait(30)
    assert lines(tmp_path / "api.log") == ["quick"]
    file.close()


def test_a_file_is_turned_over_at_its_size_and_only_so_many_are_kept(tmp_path: Path) -> None:
    file = LogFile(tmp_path, "api", Limits(file_bytes_max=100, old_files=2))
    for n in range(40):
        file.write(f"{n:019}")
        file.flush()
    file.close()
    assert sorted(path.name for path in tmp_path.glob("api*")) == ["api.log", "api.log.1", "api.log.2"]
    kept = [line for name in ("api.log.2", "api.log.1", "api.log") for line in lines(tmp_path / name)]
    assert kept == [f"{n:019}" for n in range(40 - len(kept), 40)]
    assert all(path.stat().st_size <= 100 for path in tmp_path.glob("api*"))


def test_processes_of_one_name_have_files_of_their_own_and_a_free_name_is_taken_again(tmp_path: Path) -> None:
    first, second = LogFile(tmp_path, "api"), LogFile(tmp_path, "api")
    assert [file.process for file in (first, second)] == ["api", "api-2"]
    first.write("before")
    first.close()
    third = LogFile(tmp_path, "api", Limits(names_max=2))
    assert third.process == "api"
    third.write("after")
    with pytest.raises(LogFolderFull):
        LogFile(tmp_path, "api", Limits(names_max=2))
    second.close()
    third.close()
    assert lines(tmp_path / "api.log") == ["before", "after"]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "logs", "api")
    file.close()
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "logs" / "api.log").stat().st_mode & 0o777 == 0o600


def test_lines_that_come_faster_than_they_can_be_written_are_dropped_and_counted(tmp_path: Path) -> None:
    file = LogFile(tmp_path, "api", Limits(waiting_bytes_max=30, linger_s=3_600))
    handler = FileHandler(file)
    handler.setFormatter(formatter("json", "api"))
    file.write("x" * 29)
    logger = logging.getLogger("serve.flood")
    for n in range(5):
        handler.emit(logger.makeRecord(logger.name, logging.INFO, "", 0, "line %d", (n,), None))
    assert file.dropped > 5
    handler.flush()
    handler.close()
    assert lines(tmp_path / "api.log") == ["x" * 29]


def test_how_many_lines_were_dropped_is_said_once_there_is_room(tmp_path: Path) -> None:
    file = LogFile(tmp_path, "api", Limits(waiting_bytes_max=4_000, linger_s=3_600))
    handler = FileHandler(file)
    handler.setFormatter(formatter("json", "api"))
    file.dropped = 7
    logger = logging.getLogger("serve.flood")
    for n in range(2):
        handler.emit(logger.makeRecord(logger.name, logging.INFO, "", 0, "line %d", (n,), None))
    handler.close()
    said = [json.loads(line)["message"] for line in lines(tmp_path / "api.log")]
    assert said == ["line 0", "7 lines were dropped: they came faster than they could be written", "line 1"]


def test_a_full_disk_costs_lines_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = LogFile(tmp_path, "api", Limits(linger_s=3_600))

    def full(_fd: int, _lines: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        file.write("lost")
        file.flush()
    assert file.dropped == 1
    assert "No space left" in capsys.readouterr().err
    file.write("kept")
    file.close()
    assert lines(tmp_path / "api.log") == ["kept"]


def test_a_record_that_cannot_be_shown_is_named_and_its_arguments_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = FileHandler(LogFile(tmp_path, "api"))
    handler.setFormatter(formatter("text", "api"))
    logger = logging.getLogger("serve.broken")
    handler.emit(logger.makeRecord(logger.name, logging.INFO, "", 7, "%d coins", ("dinner with Ravi",), None))
    handler.close()
    assert lines(tmp_path / "api.log")[0].endswith("a record of serve.broken:7 cannot be shown")
    assert "Ravi" not in capsys.readouterr().err


@pytest.mark.parametrize(("level", "ours", "others"), [("debug", 3, 1), ("info", 2, 1), ("error", 0, 0)])
@pytest.mark.usefixtures("quiet")
def test_libraries_never_speak_below_a_warning(tmp_path: Path, level: str, ours: int, others: int) -> None:
    end = process.begin(tmp_path, "api", level, "json")
    try:
        for name in ("serve.live", "websockets.server", "uvicorn.error", "ray.serve"):
            for number in (logging.DEBUG, logging.INFO, logging.WARNING):
                logging.getLogger(name).log(number, "said")
    finally:
        end()
    said = [json.loads(line)["logger"] for line in lines(tmp_path / "api.log")]
    assert said.count("serve.live") == ours
    for name in ("websockets.server", "uvicorn.error", "ray.serve"):
        assert said.count(name) == others


@pytest.mark.parametrize(
    ("level", "access", "spoken"),
    [("info", False, False), ("info", True, True), ("debug", False, True), ("warning", True, False)],
)
@pytest.mark.usefixtures("quiet")
def test_answered_requests_have_a_line_where_it_is_wanted_and_at_debug(
    tmp_path: Path, level: str, access: bool, spoken: bool
) -> None:
    end = process.begin(tmp_path, "api", level, "json", access=access)
    try:
        assert logging.getLogger("boond.access").isEnabledFor(logging.INFO) is spoken
    finally:
        end()


@pytest.mark.usefixtures("quiet")
def test_a_process_whose_log_cannot_be_written_works_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    end = process.begin(tmp_path / "logs", "api", "info", "text")
    try:
        logging.getLogger("serve.live").warning("token=%s", "abc")
    finally:
        end()
    told = capsys.readouterr().err
    assert "api cannot log to" in told
    assert "token=***" in told
