"""The log of this process: begun once, by whoever makes the process what it is (`up`, a shard's host, a replica)."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from serve.logs.files import FileHandler, LogFile, LogFolderFull
from serve.logs.lines import formatter

OURS = ("actors", "adapters", "boond", "engine", "online_ml", "serve")
"""Loggers that follow `log_level`."""
ACCESS = "boond.access"
"""The logger of answered requests."""
ASIDE = ("ray.serve",)
"""Loggers that Serve keeps from the root, sooner or later: they get the handler themselves."""


def folder_of(data: str) -> Path:
    """Return where the log files of an instance are."""
    return Path(data) / "logs"


def begin(folder: Path, process: str, level: str, form: str, *, access: bool = False) -> Callable[[], None]:
    """Send this process' log lines to its file; returns what ends that. `access`: one for each request too.

    Others' loggers speak from warning on, whatever the level: at debug a socket library writes down whole frames,
    tokens included, and a server at info the query of a path.
    """
    handler = _handler(folder, process)
    handler.setFormatter(formatter(form, handler.file.process if isinstance(handler, FileHandler) else process))
    ours, others = logging.getLevelName(level.upper()), max(logging.WARNING, logging.getLevelName(level.upper()))
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in ("", ACCESS, *OURS, *ASIDE)}
    went_up = {name: logging.getLogger(name).propagate for name in ASIDE}
    root.addHandler(handler)
    root.setLevel(others)
    for name in OURS:
        logging.getLogger(name).setLevel(ours)
    if not access and level != "debug":
        logging.getLogger(ACCESS).setLevel(others)
    for name in ASIDE:
        aside = logging.getLogger(name)
        aside.addHandler(handler)
        aside.setLevel(others)
        aside.propagate = False

    def end() -> None:
        for name in ("", *ASIDE):
            logging.getLogger(name).removeHandler(handler)
        for name, earlier in before.items():
            logging.getLogger(name).setLevel(earlier)
        for name, propagated in went_up.items():
            logging.getLogger(name).propagate = propagated
        handler.close()

    return end


def _handler(folder: Path, process: str) -> logging.Handler:
    try:
        return FileHandler(LogFile(folder, process))
    except (OSError, LogFolderFull) as error:
        # Money before lines: a process without a log still works.
        sys.stderr.write(f"{process} cannot log to {folder}: {error}\n")
        return logging.StreamHandler()
