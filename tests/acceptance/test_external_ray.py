"""A Ray cluster that an operator runs: the same program joins it, serves on it, and leaves nothing of its own there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.embedded import haproxy, processes
from serve.embedded.ray_node import ray_environment
from serve.embedded.run_folder import RunFolder
from tests.acceptance.boond import purchase, running


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that join a one-node cluster; everything of it is ended by its mark."""
    run = RunFolder(tmp_path / "cluster")
    run.make()
    own = ray_environment(run) | haproxy.front_door_environment(run, haproxy.find_binary(os.environ), 1_000)
    own |= {processes.MARKER: run.instance}
    address = f"127.0.0.1:{haproxy.free_ports(1)[0]}"
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", f"--port={address.rpartition(':')[2]}"]
    command += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", f"--temp-dir={run.ray}", "--num-cpus=4"]
    command += ["--object-store-memory=100000000", "--disable-usage-stats"]
    try:
        subprocess.run(command, check=True, env=os.environ | own, cwd=run.empty, stdout=subprocess.DEVNULL, timeout=90)
        # A cluster on loopback alone; real ones leave the last name out.
        joining = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
        yield {"BOOND_RAY_ADDRESS": address, **{name: own[name] for name in joining}}
    finally:
        processes.end_all(lambda: processes.marked(run.instance))
        run.remove()


def test_an_external_ray_is_joined_left_and_joined_again_on_the_same_port(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    with running(tmp_path / "data", settings=cluster) as boond:
        client = boond.client(boond.token("asha"))
        assert client.post("/transactions", json=purchase("T1", 19_725)).status_code == 201
        port = boond.port
        assert boond.stop() == 0
    with running(tmp_path / "data", port, settings=cluster) as again:
        repeat = again.client(again.token("asha")).post("/transactions", json=purchase("T1", 19_725))
        assert (repeat.status_code, repeat.json()["duplicate"]) == (200, True)
