import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from serve.auth.errors import KeyFileUnusable
from serve.auth.keys import load_or_create
from serve.embedded.haproxy import free_ports
from serve.embedded.ray_node import RayNode
from serve.settings import Settings
from serve.up import Hastened, Instance, PartDied, Parts, Signals, migrate, up


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signals(clock: Clock) -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    made = Signals(clock)
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def _send(signum: int) -> None:
    os.kill(os.getpid(), signum)


def test_a_signal_is_heard_even_where_the_shell_ignored_it(signals: Signals) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals.install()
    _send(signal.SIGINT)
    assert signals.count == 1


def test_an_echo_of_the_first_signal_is_not_impatience(signals: Signals, clock: Clock) -> None:
    _send(signal.SIGINT)
    clock.now_s = 0.5
    _send(signal.SIGINT)
    assert signals.count == 1


def test_a_second_signal_hastens(signals: Signals, clock: Clock) -> None:
    _send(signal.SIGINT)
    clock.now_s = 5
    with pytest.raises(Hastened):
        _send(signal.SIGTERM)


def test_hastened_or_failing_steps_do_not_keep_the_rest_from_stopping(
    tmp_path: Path, signals: Signals, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    instance = Instance(Settings(data=str(tmp_path)), Parts())
    instance.signals = signals
    stopped: list[str] = []

    def is_stuck() -> None:
        clock.now_s = 10
        _send(signal.SIGINT)
        stopped.append("never")

    def fails() -> None:
        raise OSError("gone")

    instance.before_stopping(lambda: stopped.append("last"))
    instance.before_stopping(fails)
    instance.before_stopping(is_stuck)
    _send(signal.SIGINT)
    instance.stop()
    assert stopped == ["last"]
    assert "boond: " in capsys.readouterr().err


def test_a_key_that_cannot_be_used_is_said_before_anything_starts(tmp_path: Path) -> None:
    load_or_create(tmp_path / "keys")
    (tmp_path / "keys" / "root.secret").write_bytes(b"short")
    with pytest.raises(KeyFileUnusable, match=r"root\.secret: damaged"):
        up(Settings(data=str(tmp_path), port=free_ports(1)[0]))
    assert not (tmp_path / "postgres").exists()


def test_a_database_out_of_reach_is_an_error_without_its_password() -> None:
    with pytest.raises(PartDied, match=r"the database cannot be used: .*refused") as failed:
        migrate(f"postgresql://boond:s3cret@127.0.0.1:{free_ports(1)[0]}/boond")
    assert "s3cret" not in str(failed.value)


def test_what_ends_together_with_our_signal_did_as_it_was_told(tmp_path: Path, signals: Signals) -> None:
    class Ray:
        """Has ended just when the signal of the whole group is heard."""

        def dead(self) -> str:
            _send(signal.SIGTERM)
            return "raylet"

    instance = Instance(Settings(data=str(tmp_path / "d")), Parts())
    instance.signals = signals
    instance.ray = cast("RayNode", Ray())
    instance.watch()
    assert signals.count == 1
