"""What a REST replica counts. One instance a process, `services.measures`."""

from typing import Any

from psycopg_pool import AsyncConnectionPool
from typing_extensions import override

from actors.meters import SECONDS, Measures, Series
from serve.auth.passwords import Passwords

NO_ROUTE = "(none)"
"""The route of a request that fits none."""


class ApiMeasures(Measures):
    """Requests by route and status, the line before the password hashes, and the connections for reads."""

    def __init__(self, *, on: bool = True) -> None:
        super().__init__(on=on)
        self._open = 0
        self.requests = self._count("boond_http_requests_total", "Answered requests", "method", "route", "status")
        self.seconds = self._histogram(
            "boond_http_request_seconds", "Time from the headers of a request to its answer", SECONDS, "route"
        )
        self.in_flight = self._gauge("boond_http_requests_in_flight", "Requests that are not answered yet")
        self.hashes_pending = self._gauge(
            "boond_password_hashes_pending", "Password hashes under way or waiting for a thread"
        )
        self.hashes = self._count(
            "boond_password_hashes_total", "Password hashes: done, or refused for a full line", "outcome"
        )
        self.pool_connections = self._gauge("boond_pool_connections", "Connections to Postgres for reads", "state")
        self.pool_waiting = self._gauge("boond_pool_waiting_requests", "Reads that wait for a connection")
        self.pool_requests = self._count(
            "boond_pool_requests_total", "Reads: served, or failed to get a connection", "outcome"
        )

    def begin(self) -> None:
        """A request has come."""
        self._open += 1

    def end(self) -> None:
        """A request that had come has an answer, or nobody who waits for one."""
        self._open -= 1

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request has an answer."""
        if self.on:
            self.requests.inc(method, route, str(status))
            self.seconds.observe(seconds, route)

    def seen(self, passwords: Passwords, pool: AsyncConnectionPool[Any]) -> list[Series]:
        """Return what was counted so far, and what is open now."""
        self.hashes_pending.set(passwords.pending)
        self.hashes.reach(passwords.done, "done")
        self.hashes.reach(passwords.refused, "refused")
        stats = pool.get_stats()
        free = stats.get("pool_available", 0)
        self.pool_connections.set(free, "free")
        self.pool_connections.set(stats.get("pool_size", 0) - free, "used")
        self.pool_waiting.set(stats.get("requests_waiting", 0))
        failed = stats.get("requests_errors", 0)
        self.pool_requests.reach(stats.get("requests_num", 0) - failed, "served")
        self.pool_requests.reach(failed, "failed")
        return self.series()

    @override
    def series(self) -> list[Series]:
        self.in_flight.set(self._open)
        return super().series()
