"""Servers that are replaced, stopped and killed under open sockets: what clients hear, and that no turn is lost."""

import asyncio
import logging
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
LOG = logging.getLogger(__name__)


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


def doors(boond: Boond) -> set[int]:
    """Return the processes of the front door: HAProxy, and those it replaced which still hold sockets."""
    marked = processes.marked(RunFolder(boond.data).instance)
    return {p.pid for p in marked if b"haproxy\0-db" in Path(f"/proc/{p.pid}/cmdline").read_bytes()}


def resident_mib(pid: int) -> int:
    """Return the memory of a process."""
    [line] = [part for part in Path(f"/proc/{pid}/status").read_text().splitlines() if part.startswith("VmRSS")]
    return int(line.split()[1]) // 1024


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
        await crowd.everybody_is_back()
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
        waiting = doors(movable)
        LOG.info("front doors and their memory: %s", {pid: resident_mib(pid) for pid in waiting})
        assert len(waiting) > 1, "the front door that was replaced keeps its sockets"
        assert crowd.closes == {}
        assert travellers.closes == {MOVING: 20}
        assert crowd.wallet_troubles == travellers.wallet_troubles == []
    await crowd.until(lambda: len(doors(movable)) == 1, "a front door that was replaced ends with its last socket")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, MOVING), (signal.SIGKILL, 1006)])
async def test_the_only_replica_that_ends_by_a_signal_costs_a_resume(
    movable: Boond, how: signal.Signals, code: int
) -> None:
    [replica] = replicas(movable, "live")
    async with Crowd(movable, 20, 2).connected() as crowd:
        os.kill(replica, how)
        await crowd.until(lambda: replica not in replicas(movable, "live"), "the process has ended")
        await crowd.until(lambda: all(phone.closes for phone in crowd.phones), "every socket has ended")
        await crowd.everybody_is_back()
        await crowd.every_turn_is_seen()
        assert set(crowd.closes) == {code}


async def test_a_front_door_that_is_killed_is_opened_again_and_loses_no_turn(movable: Boond) -> None:
    """HAProxies that were replaced and wait for their last socket die with it: each holds sockets of its own."""
    async with Crowd(movable, 20, 2).connected() as crowd:
        for door in doors(movable):
            os.kill(door, signal.SIGKILL)
        await crowd.until(lambda: not any(phone.open for phone in crowd.phones), "every socket has ended")
        await crowd.everybody_is_back()
        await crowd.every_turn_is_seen()
        assert set(crowd.closes) == {1006}


async def test_everything_that_stops_tells_every_socket_first(movable: Boond) -> None:
    async with Crowd(movable, 60, 5).connected() as crowd:
        assert await asyncio.to_thread(movable.stop) == 0
        assert set(crowd.closes) == {MOVING}
        assert all(phone.closes for phone in crowd.phones)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boond]:
    """Two replicas of live, whose own ports take sockets."""
    settings = {"BOOND_DIRECT_SOCKETS": "1", "BOOND_LIVE_REPLICAS": "2", "BOOND_MOVE_S": "2"}
    with running(tmp_path_factory.mktemp("pair") / "data", settings=settings) as boond:
        yield boond


async def test_sockets_past_the_front_door_outlive_it_and_a_killed_gateway_costs_a_resume(pair: Boond) -> None:
    crowd = Crowd(pair, 40, 2)
    crowd.where = crowd.past_the_front_door
    async with crowd.connected():
        addresses = {await crowd.past_the_front_door(phone) for phone in crowd.phones}
        assert len(addresses) == 2
        assert f":{pair.port}/" not in str(addresses)
        victim = min(replicas(pair, "live"))
        os.kill(victim, signal.SIGKILL)
        await crowd.until(lambda: bool(crowd.closes), "sockets of the dead gateway have ended")
        await crowd.everybody_is_back()
        await crowd.every_turn_is_seen()
        assert set(crowd.closes) == {1006}
        assert 10 < crowd.closes.total() < 70, "the other gateway's sockets stay"
        for door in doors(pair):
            os.kill(door, signal.SIGKILL)
        ended = crowd.closes.total()
        await crowd.until(lambda: crowd.troubled, "the wallet finds nobody")
        await crowd.until(lambda: not crowd.troubled, "the wallet pays again")
        await crowd.every_turn_is_seen()
        assert crowd.closes.total() == ended, "no socket went through the front door"


async def test_a_gateway_behind_the_front_door_that_is_killed_costs_a_resume(pair: Boond) -> None:
    async with Crowd(pair, 40, 2).connected() as crowd:
        await crowd.until(lambda: len(replicas(pair, "live")) == 2, "both replicas run")
        os.kill(min(replicas(pair, "live")), signal.SIGKILL)
        await crowd.until(lambda: bool(crowd.closes), "sockets of the dead gateway have ended")
        await crowd.everybody_is_back()
        await crowd.every_turn_is_seen()
        assert set(crowd.closes) == {1006}
        assert 10 < crowd.closes.total() < 70, "the other gateway's sockets stay"


async def test_a_redeploy_moves_the_sockets_past_the_front_door_too(pair: Boond) -> None:
    crowd = Crowd(pair, 40, 2)
    crowd.where = crowd.past_the_front_door
    before = replicas(pair, "live")
    async with crowd.connected():
        await replace(pair, "live", 24)
        await crowd.until(lambda: not before & replicas(pair, "live"), "the old replicas have ended")
        await crowd.everybody_is_back()
        await crowd.every_turn_is_seen()
        assert set(crowd.closes) == {MOVING}
