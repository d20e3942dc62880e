"""What is wrapped around Serve's end of a replica: in which order, for how long, and whatever goes wrong."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ray._private import worker
from ray.serve._private import replica
from ray.serve.generated import serve_pb2

from serve import departure


class Ending:
    """A replica that is told to end, and the controller it asks why."""

    def __init__(self, status: int | None) -> None:
        self._status = status
        self.asked: list[str] = []
        self._deployment_id = SimpleNamespace(app_name="live")
        self._controller_handle = SimpleNamespace(get_serve_status=SimpleNamespace(remote=self._answer))

    async def _answer(self, name: str) -> bytes:
        self.asked.append(name)
        if self._status is None:
            raise ConnectionError("the controller is gone")
        overview = serve_pb2.StatusOverview(app_status=serve_pb2.ApplicationStatusInfo(status=self._status))
        return bytes(overview.SerializeToString())


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What happens to a replica, in order."""
    order: list[Any] = []

    async def end(_ending: Any) -> None:
        order.append("end")

    monkeypatch.setattr(replica.Replica, "_perform_graceful_shutdown", end)
    monkeypatch.setattr(departure, "LEARNT_S", 0)
    return order


def moving(order: list[Any]) -> Callable[[float], Awaitable[None]]:
    async def move(longest_s: float) -> None:
        order.append(longest_s)

    return move


@pytest.mark.parametrize(
    ("status", "longest_s"),
    [
        (serve_pb2.APPLICATION_STATUS_RUNNING, 30.0),
        (serve_pb2.APPLICATION_STATUS_DEPLOYING, 30.0),
        (serve_pb2.APPLICATION_STATUS_UNHEALTHY, 30.0),
        (serve_pb2.APPLICATION_STATUS_DEPLOY_FAILED, 30.0),
        (serve_pb2.APPLICATION_STATUS_DELETING, departure.LAST_WORDS_S),
        (serve_pb2.APPLICATION_STATUS_NOT_STARTED, departure.LAST_WORDS_S),
        (None, departure.LAST_WORDS_S),
    ],
)
async def test_sockets_move_before_the_end_and_quickly_where_there_is_nowhere_to_go(
    happened: list[Any], status: int | None, longest_s: float
) -> None:
    departure.move_first(moving(happened), 30.0)
    ending: Any = Ending(status)
    await replica.Replica._perform_graceful_shutdown(ending)
    assert ending.asked == ["live"]
    assert happened == [longest_s, "end"]


async def test_a_move_that_fails_does_not_keep_the_replica_from_ending(happened: list[Any]) -> None:
    async def fail(_longest_s: float) -> None:
        raise RuntimeError("no")

    departure.move_first(fail, 30.0)
    ending: Any = Ending(serve_pb2.APPLICATION_STATUS_RUNNING)
    await replica.Replica._perform_graceful_shutdown(ending)
    assert happened == ["end"]


async def test_sigterm_moves_once_and_the_second_ends_the_process_as_ray_does(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[Any] = []
    monkeypatch.setattr(worker, "raise_sys_exit_with_custom_error_message", lambda *said: order.append(said))
    killed = asyncio.Event()

    def kill(pid: int, how: signal.Signals) -> None:
        assert (pid, how) == (os.getpid(), signal.SIGTERM)
        killed.set()

    monkeypatch.setattr(os, "kill", kill)
    departure.heed_sigterm(asyncio.get_running_loop(), moving(order))
    hear = worker.raise_sys_exit_with_custom_error_message
    hear("The process receives a SIGTERM.", 1)
    await asyncio.wait_for(killed.wait(), 10)
    assert order == [departure.LAST_WORDS_S]
    hear("The process receives a SIGTERM.", 1)
    assert order[1:] == [("The process receives a SIGTERM.", 1)]


async def test_another_way_to_exit_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[Any] = []
    monkeypatch.setattr(worker, "raise_sys_exit_with_custom_error_message", lambda *said: order.append(said))
    departure.heed_sigterm(asyncio.get_running_loop(), moving(order))
    worker.raise_sys_exit_with_custom_error_message("exit_actor() was called", 0)
    assert order == [("exit_actor() was called", 0)]
