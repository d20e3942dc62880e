#!/bin/sh
# start.sh head [ray start options] | worker ADDRESS | up NODES: one step of ray_cluster.yaml on one node.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
set -a
. "$here/cluster.env"
set +a
PATH="$here/venv/bin:$PATH"
# Workers import from their working folder before site-packages.
mkdir -p "$here/empty"
cd "$here/empty"
# What this node's limit of open files carries, at two a connection; HAProxy refuses to start with more.
ulimit -n "$(ulimit -Hn)"
RAY_SERVE_HAPROXY_MAXCONN=$(python -c \
    'from serve.embedded import haproxy; print(haproxy.connections_max(0, haproxy.nofile_hard()))')
export RAY_SERVE_HAPROXY_MAXCONN
step=$1
shift
case $step in
head)
    exec ray start --head --port=6379 --include-dashboard=false "$@"
    ;;
worker)
    address=$1
    shift
    exec ray start --address="$address" "$@"
    ;;
up)
    set -a
    . "$here/boond.env"
    set +a
    # Shards are placed once: before the nodes are there, all would land on the head.
    python - "$1" <<'PYTHON'
import os
import sys
import time

import ray
from ray import serve

ray.init(address=os.environ["BOOND_RAY_ADDRESS"], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[1]):
    time.sleep(1)
# Serve outlives an `up` that was killed, and its HAProxy would still hold the port.
serve.shutdown()
PYTHON
    exec boond up
    ;;
*)
    echo "start.sh: head, worker ADDRESS or up NODES, not $step" >&2
    exit 2
    ;;
esac
