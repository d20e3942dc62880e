"""Is it alive, is it ready, and what Prometheus reads."""

import msgspec

from serve.api import metrics
from serve.api.routing import Answer, Call, route
from serve.problems import Trouble


async def live(call: Call) -> Answer:
    """Answer as long as the process runs."""
    del call
    return Answer(b'{"status":"live"}')


async def ready(call: Call) -> Answer:
    """Say whether every part can serve; 503 names those that cannot."""
    parts = await call.services.readiness()
    missing = {name: state for name, state in parts.items() if state != "ready"}
    if missing:
        words = "; ".join(f"{name}: {state}" for name, state in missing.items())
        raise Trouble(503, f"Not ready: {words}", name="not-ready", extra={"parts": parts})
    return Answer(msgspec.json.encode({"status": "ready", "parts": parts}))


async def prometheus(call: Call) -> Answer:
    """Return the metrics of this replica in the Prometheus text format."""
    del call
    return Answer(metrics.exposition(), media_type="text/plain; version=0.0.4")


ROUTES = [
    route("GET /health/live", live, tag="operations", public=True),
    route("GET /health/ready", ready, tag="operations", public=True),
    route("GET /metrics", prometheus, tag="operations", public=True),
]
