"""Wallets' back ends: one that sends events as they happen, one that hands them on in batches. Both are open loops."""

import time
from typing import Any

import gevent
import msgspec
from locust import FastHttpUser, task
from typing_extensions import override

from loadtests.payments import RESENT_SHARE, Payments
from loadtests.run import run
from loadtests.sending import Answer, OpenLoop, Persistent, Till, paced
from loadtests.skew import arrivals, batch_size, mean_batch

BATCH_MAX = 200


class _Wallet(FastHttpUser):
    """What both have in common."""

    abstract = True
    fixed_count = 1
    host = "http://127.0.0.1"
    concurrency = 200
    network_timeout = 30.0
    connection_timeout = 10.0
    max_retries = 0
    path = ""
    kind = ""

    @override
    def on_start(self) -> None:
        """Make the schedule and its events ready."""
        current = run()
        self._notebook = current.notebook
        self._schedule = current.rng(f"{self.kind} schedule")
        self._rng = current.rng(self.kind)
        self._requests = Persistent(self.client, current.plan.service_token, self._notebook, self._rng)
        self._till = Till(current.notebook)
        self._zipf = current.zipf(self.kind)
        self._payments = Payments(current.plan.seed, f"lt-{current.plan.run_id}-{self.kind}")

    def send(self, due_ns: int, events: list[dict[str, Any]]) -> None:
        """Send what is due until it is answered; now and then send it once more, as a retry does."""
        body = self.encode(events)
        done: set[str] = set()
        while True:
            answer = self._post(body)
            if answer is None or not self.take(answer, done, again=False):
                break
            gevent.sleep(1.0)
        if answer is None:
            return
        self._notebook.took(self.kind, due_ns, time.monotonic_ns())
        if self._rng.random() < RESENT_SHARE:
            again = self._post(body)
            if again is not None:
                self.take(again, done, again=True)

    def _post(self, body: bytes) -> Answer | None:
        return self._requests.ask("POST", self.path, body)

    def encode(self, events: list[dict[str, Any]]) -> bytes:
        """Return the body of a request."""
        raise NotImplementedError

    def take(self, answer: Answer, done: set[str], /, *, again: bool) -> bool:
        """Judge an answer; return whether the same has to be sent again."""
        raise NotImplementedError

    def event(self, due_ns: int) -> dict[str, Any]:
        """Return the next event, of a user who is busy by rank."""
        user, _ = run().users[self._zipf.draw()]
        return self._payments.next(due_ns, user)

    def play(self, requests_per_s: float) -> None:
        """Send on schedule until the run is over, then rest."""
        current = run()
        moments = arrivals(requests_per_s, current.seconds, current.scenario.bursts, self._schedule)
        OpenLoop(self._notebook).run(paced(moments, current.begin_ns), self.events, self.send)
        while not current.is_stopping:
            gevent.sleep(0.2)

    def events(self, due_ns: int) -> list[dict[str, Any]]:
        """Return the events of one request."""
        raise NotImplementedError


class SingleWallet(_Wallet):
    """Hands on each payment as it happens."""

    abstract = True
    path = "/api/v1/transactions"
    kind = "single"

    @task
    def work(self) -> None:
        """Send the single events of the scenario."""
        self.play(run().scenario.rate * run().scenario.single_share)

    @override
    def events(self, due_ns: int) -> list[dict[str, Any]]:
        """Return one."""
        return [self.event(due_ns)]

    @override
    def encode(self, events: list[dict[str, Any]]) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(events[0])

    @override
    def take(self, answer: Answer, _done: set[str], /, *, again: bool) -> bool:
        """Judge a receipt."""
        self._till.take_one(answer, again=again)
        return False


class BatchWallet(_Wallet):
    """Collects payments and hands them on in batches."""

    abstract = True
    path = "/api/v1/transactions/batch"
    kind = "batch"

    @task
    def work(self) -> None:
        """Send the batches of the scenario."""
        self.play(run().scenario.rate * (1.0 - run().scenario.single_share) / mean_batch(BATCH_MAX))

    @override
    def events(self, due_ns: int) -> list[dict[str, Any]]:
        """Return a batch."""
        return [self.event(due_ns) for _ in range(batch_size(self._schedule, BATCH_MAX))]

    @override
    def encode(self, events: list[dict[str, Any]]) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(events)

    @override
    def take(self, answer: Answer, done: set[str], /, *, again: bool) -> bool:
        """Judge every receipt."""
        return self._till.take_batch(answer, done, again=again)
