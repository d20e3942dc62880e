#!/bin/sh
# What Ray Serve runs as HAProxy: ties it to its parent and makes its own errors problem documents.
exec "$(dirname "$0")/venv/bin/python" -I -m serve.embedded.haproxy_wrapper "$@"
