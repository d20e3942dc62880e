"""What Prometheus reads of a REST replica: requests by route and status, and how long they took."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

REGISTRY = CollectorRegistry()
_REQUESTS = Counter("boond_http_requests", "REST requests", ["method", "route", "status"], registry=REGISTRY)
_SECONDS = Histogram(
    "boond_http_request_seconds",
    "Time from the decoded request line to the answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)


_requests = cache(_REQUESTS.labels)
_seconds = cache(_SECONDS.labels)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    _requests(method, route, str(status)).inc()
    _seconds(route).observe(seconds)


def exposition() -> bytes:
    """Return everything in the Prometheus text format."""
    return generate_latest(REGISTRY)
