"""Those who only read: a dashboard, and a tenant's back end on `GET /feed`."""

import time
from itertools import count
from urllib.parse import quote

import gevent
from locust import FastHttpUser, between, task
from typing_extensions import override

from loadtests.feed import FeedPage, page_of
from loadtests.run import run
from loadtests.sending import Persistent

_NUMBERS = count()


class Watcher(FastHttpUser):
    """A dashboard that asks for one person after another on behalf of the tenant."""

    abstract = True
    host = "http://127.0.0.1"
    wait_time = between(0.2, 1.0)
    network_timeout = 30.0
    max_retries = 0

    @override
    def on_start(self) -> None:
        """Take the service's token."""
        current = run()
        self._rng = current.rng(f"watcher {next(_NUMBERS)}")
        self._requests = Persistent(self.client, current.plan.service_token, current.notebook, self._rng)

    @task(4)
    def overview(self) -> None:
        """Look at somebody's first screen."""
        self._look("overview")

    @task(2)
    def transactions(self) -> None:
        """Look at somebody's payments."""
        self._look("transactions")

    @task(1)
    def burn_rate(self) -> None:
        """Look at how somebody spends."""
        self._look("burn-rate")

    @task(1)
    def budgets(self) -> None:
        """Look at somebody's budgets."""
        self._look("budgets")

    def _look(self, what: str) -> None:
        user, _ = self._rng.choice(run().users)
        due_ns = time.monotonic_ns()
        name = f"/api/v1/{what}?user_id="
        if self._requests.ask("GET", name + user, name=name) is not None:
            run().notebook.took("read", due_ns, time.monotonic_ns())


class TenantFeed(FastHttpUser):
    """A tenant's back end that takes every turn of its users; the runner reads the rest, and looks what is missing."""

    abstract = True
    host = "http://127.0.0.1"
    network_timeout = 30.0
    max_retries = 0

    @task
    def follow(self) -> None:
        """Read page after page until the run is over."""
        current = run()
        requests = Persistent(self.client, current.plan.service_token, current.notebook, current.rng("feed"))
        cursor = current.plan.feed_from
        while not current.is_stopping:
            page = self._page(requests, cursor)
            if page is None:
                gevent.sleep(0.5)
                continue
            for item in page.items:
                current.notebook.fed(item.user_id, item.seq)
            cursor = page.next_cursor
            current.notebook.outcomes.feed_polls += 1
            current.notebook.outcomes.feed_from = cursor

    def _page(self, requests: Persistent, cursor: str) -> FeedPage | None:
        path = f"/api/v1/feed?cursor={quote(cursor)}&limit=500&wait_s=1"
        answer = requests.ask("GET", path, name="/api/v1/feed")
        return None if answer is None else page_of(answer.content)
