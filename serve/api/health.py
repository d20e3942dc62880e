"""Is it alive, is it ready, and what Prometheus reads."""

import msgspec

from serve.api.routing import Answer, Call, route
from serve.observe import exposition
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
    """Return what every process of the instance counts, in the Prometheus text format."""
    observatory = call.services.observatory
    if observatory is None:
        raise Trouble(404, "Nothing is counted here: start with BOOND_METRICS=1.", name="not-found")
    return Answer(await observatory.text(), media_type=exposition.MEDIA_TYPE)


ROUTES = [
    route("GET /health/live", live, tag="operations", public=True),
    route("GET /health/ready", ready, tag="operations", public=True),
    route("GET /metrics", prometheus, tag="operations", public=True),
]
