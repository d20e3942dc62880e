"""`make load` end to end on a small scale: what it measures is real, and a missed threshold is an exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.boond import Boond

ROOT = Path(__file__).parents[2]
SMALL = "--users 20 --phones 3 --rate 60 --single-share 0.3 --duration 6 --warmup 1 --slow 1000"
"""Promises only: how long anything takes on a busy machine is not for a test."""


def load(boond: Boond, folder: Path, *more: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run a small steady load against a running Boond; return how it ended, and its result."""
    where = ["--url", boond.url, "--data", str(boond.data), "--report", str(folder)]
    command = [sys.executable, "-m", "loadtests", "steady", *SMALL.split(), *where, *more]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=ROOT)
    (written,) = folder.glob("steady-*/result.json")
    return ended, json.loads(written.read_text())


def test_a_small_load_reaches_every_promise_and_leaves_a_report(boond: Boond, tmp_path: Path) -> None:
    ended, result = load(boond, tmp_path)
    assert (ended.returncode, result["missed"]) == (0, []), ended.stdout + ended.stderr
    found = result["metrics"]
    assert found["acknowledged"] >= 100
    assert found["measured_pushes"] >= 100
    assert len(result["outcomes"]["phones"]) == 3
    assert result["outcomes"]["feed_polls"] > 0
    assert {use["part"] for use in result["usage"]} >= {"shard", "live replica", "api replica", "holder", "Locust"}
    (folder,) = tmp_path.iterdir()
    assert {"index.html", "locust.html", "result.json", "result.txt"} <= {path.name for path in folder.iterdir()}
    assert not [path for path in folder.iterdir() if "token" in path.name or path.name == "plan.json"]


def test_a_threshold_that_cannot_be_reached_ends_with_an_exit_code_and_is_named(boond: Boond, tmp_path: Path) -> None:
    ended, result = load(boond, tmp_path, "--limit", "push_p50_ms=0.001")
    assert ended.returncode == 1
    assert [line.split(":")[0] for line in result["missed"]] == ["MISSED push_p50_ms"]
    assert "MISSED push_p50_ms" in ended.stdout
