import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml

from serve import settings
from serve.embedded import haproxy
from serve.embedded.ray_node import ray_environment
from serve.embedded.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRET = "./deploy/secret/"


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
    return read


def names(path: Path) -> set[str]:
    return set(re.findall(r"^([A-Z][A-Z0-9_]*)=", path.read_text(), re.MULTILINE))


def test_it_fits_rays_own_schema(cluster: dict[str, Any]) -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)


def test_ray_itself_can_prepare_it(cluster: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config

    prepared = prepare_config(cluster)
    workers = prepared["available_node_types"][prepared["head_node_type"]]["min_workers"]
    assert workers == len(cluster["provider"]["worker_ips"]) == cluster["max_workers"]


def test_every_variable_it_sets_is_one_that_up_sets_too(run: RunFolder) -> None:
    ours = ray_environment(run).keys() | haproxy.front_door_environment(run, "haproxy", 0).keys()
    set_here = names(DEPLOY / "cluster.env") | set(
        re.findall(r"^export ([A-Z_]+)$", (DEPLOY / "start.sh").read_text(), re.MULTILINE)
    )
    assert set_here <= ours
    assert {
        "RAY_AUTH_MODE",
        "RAY_AUTH_TOKEN_PATH",
        "RAY_SERVE_ENABLE_HA_PROXY",
        "RAY_SERVE_HAPROXY_MAXCONN",
    } <= set_here


def test_a_cluster_is_not_kept_to_loopback() -> None:
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in names(DEPLOY / "cluster.env")


def test_the_settings_of_the_example_are_settings() -> None:
    known = {settings.environment_name(field) for field in settings.Settings.__struct_fields__}
    given = names(DEPLOY / "boond.env.example")
    assert given <= known
    assert {"BOOND_RAY_ADDRESS", "BOOND_POSTGRES_URL", "BOOND_DATA"} <= given


def test_everything_shipped_is_committed_built_or_a_secret_that_is_never_committed(cluster: dict[str, Any]) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for local in cluster["file_mounts"].values():
        if local.startswith(SECRET) or local == "./dist":
            ignored = subprocess.run(["git", "check-ignore", "-q", f"{local}/x"], cwd=ROOT, check=False)
            assert ignored.returncode == 0, f"{local} could be committed"
        else:
            assert local.removeprefix("./") in tracked, f"{local} is not committed"


def test_nothing_secret_stands_in_it() -> None:
    for path in (ROOT / "ray_cluster.yaml", DEPLOY / "cluster.env", DEPLOY / "boond.env.example"):
        assert not re.search(r"://[^/@\s]+:[^/@\s]+@|(password|secret|token)\s*[:=]\s*\w{16,}", path.read_text())


def test_nodes_are_counted_with_the_head(cluster: dict[str, Any]) -> None:
    [up] = [line for line in cluster["head_start_ray_commands"] if "start.sh up" in line]
    assert f"start.sh up {1 + len(cluster['provider']['worker_ips'])} " in up


@pytest.mark.parametrize("script", ["start.sh", "haproxy.sh"])
def test_the_scripts_are_shell_and_executable(script: str) -> None:
    assert (DEPLOY / script).stat().st_mode & 0o111
    subprocess.run(["sh", "-n", str(DEPLOY / script)], check=True)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, {"TMPDIR": str(tmp_path)})
    folder.path = tmp_path / "run"
    folder.haproxy = folder.path / "haproxy"
    folder.haproxy.mkdir(parents=True)
    return folder
