"""`boond up` with the flood behind its sockets: Ray Serve and HAProxy as they are, and no shards. Run as a program."""

import sys

from serve.settings import load
from serve.up import Parts, up

FLOOD = Parts(
    migrate=lambda _url: None,
    start_shards=lambda _count, _config: None,
    drain=lambda _config: None,
    live_builder="tests.benchmarks.sockets.flood:build",
    api_builder="tests.support.tiny_apps:build_api",
)

if __name__ == "__main__":
    sys.exit(up(load({"data": sys.argv[1], "port": sys.argv[2]}), FLOOD))
