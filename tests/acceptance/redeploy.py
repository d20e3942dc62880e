"""A redeploy by an operator: joins the Ray of a running `boond up` and replaces one application. Run as a program.

Arguments: the data folder, the port, the application, and seconds of its new heartbeat, as something has to change.
Serve reads its environment when it is imported, so the program takes that of the instance first.
"""

import os
import sys
from pathlib import Path

from serve.embedded import processes
from serve.embedded.postgres import EmbeddedPostgres
from serve.embedded.run_folder import RunFolder
from serve.settings import load, runtime_config


def main(data: Path, port: str, name: str, heartbeat_s: str) -> None:
    run = RunFolder(data)
    raylet = next(p for p in processes.marked(run.instance) if Path(f"/proc/{p.pid}/comm").read_text() == "raylet\n")
    command = Path(f"/proc/{raylet.pid}/cmdline").read_text().split("\0")
    [address] = [part.partition("=")[2] for part in command if part.startswith("--gcs-address=")]
    variables = Path(f"/proc/{raylet.pid}/environ").read_text().split("\0")
    os.environ.update(dict(line.split("=", 1) for line in variables if line.startswith(("RAY_", "BOOND_"))))
    settings = load({"data": str(data), "port": port, "heartbeat_s": heartbeat_s})
    import ray
    from ray import serve as ray_serve

    from serve import deploy

    url = EmbeddedPostgres(data, run.postgres).url
    config = runtime_config(settings, postgres_url=url, instance_id=run.instance)
    os.chdir(run.empty)
    ray.init(address=address, namespace=config.namespace, log_to_driver=False, logging_level="ERROR")
    ray_serve.run_many([target for target in deploy.targets(settings, config) if target.name == name])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
