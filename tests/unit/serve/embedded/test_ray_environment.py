from pathlib import Path

from serve.embedded.ray_node import ray_environment
from serve.embedded.run_folder import RunFolder


def test_what_ray_writes_in_its_logs_stays_small_however_long_it_runs(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.make()
    try:
        environment = ray_environment(run)
    finally:
        run.remove()
    kept = 1 + int(environment["RAY_ROTATION_BACKUP_COUNT"])
    assert int(environment["RAY_ROTATION_MAX_BYTES"]) * kept <= 32 * 2**20
