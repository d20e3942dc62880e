"""Servers that are replaced, stopped and killed under open sockets: what clients hear, and that no turn is lost."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.embedded import processes
from serve.embedded.run_folder import RunFolder
from tests.acceptance import redeploy
from tests.acceptance.boond import Boond, running
from tests.acceptance.crowd import Crowd

MOVING = 4200


@pytest.fixture(scope="module")
def movable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boond]:
    """An instance of this file's own, as its replicas are replaced and killed."""
    with running(tmp_path_factory.mktemp("moving") / "data", settings={"BOOND_MOVE_S": "2"}) as boond:
        yield boond


async def replace(boond: Boond, name: str, heartbeat_s: int) -> None:
    """Replace an application, as an operator would from another process; returns when the new one runs."""
    program = Path(redeploy.__file__)
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, boond.data, str(boond.port), name, str(heartbeat_s),
        env={**os.environ, "PYTHONPATH": str(program.parents[2])},
    )  # fmt: skip
    assert await asyncio.wait_for(process.wait(), 60) == 0


def replicas(boond: Boond, name: str) -> set[int]:
    """Return the processes of an application."""
    named = f"ServeReplica:{name}:".encode()
    marked = processes.marked(RunFolder(boond.data).instance)
    return {p.pid for p in marked if Path(f"/proc/{p.pid}/cmdline").read_bytes().startswith(b"ray::" + named)}


async def test_a_replica_of_live_that_is_replaced_moves_its_sockets_and_loses_no_turn(movable: Boond) -> None:
    before = replicas(movable, "live")
    assert before
    async with Crowd(movable, 60, 5).connected() as crowd:
        await replace(movable, "live", 24)
        await crowd.until(lambda: not before & replicas(movable, "live"), "the old replica has ended")
        await crowd.until(lambda: all(phone.open for phone in crowd.phones), "every phone is connected again")
        await crowd.every_turn_is_seen()
        assert crowd.closes == {MOVING: 300}
        assert crowd.wallet_troubles == []


async def test_a_replica_of_api_that_is_replaced_moves_its_own_sockets_and_leaves_those_of_live_alone(
    movable: Boond,
) -> None:
    before = replicas(movable, "api")
    travellers = Crowd(movable, 10, 2, name="traveller", path="/api/v1/expenses/real-time")
    async with Crowd(movable, 10, 2).connected() as crowd, travellers.connected():
        await replace(movable, "api", 23)
        await crowd.until(lambda: not before & replicas(movable, "api"), "the old replica has ended")
        await crowd.every_turn_is_seen()
        await travellers.every_turn_is_seen()
        assert crowd.closes == {}
        assert travellers.closes == {MOVING: 20}
        assert crowd.wallet_troubles == travellers.wallet_troubles == []


async def test_a_replica_that_gets_sigterm_moves_its_sockets_first(movable: Boond) -> None:
    [replica] = replicas(movable, "live")
    async with Crowd(movable, 20, 2).connected() as crowd:
        os.kill(replica, signal.SIGTERM)
        await crowd.until(lambda: replica not in replicas(movable, "live"), "the process has ended")
        await crowd.until(lambda: all(phone.open for phone in crowd.phones), "every phone is connected again")
        await crowd.every_turn_is_seen()
        assert set(crowd.closes) == {MOVING}


async def test_everything_that_stops_tells_every_socket_first(movable: Boond) -> None:
    async with Crowd(movable, 60, 5).connected() as crowd:
        assert await asyncio.to_thread(movable.stop) == 0
        assert set(crowd.closes) == {MOVING}
        assert all(phone.closes for phone in crowd.phones)
