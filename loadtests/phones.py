"""A person's phone: the live socket open most of the time, a look here, a payment there, put away and taken out again.

A person waits for an answer, so this load is closed and paced by thinking; what is measured of send to push comes from
wallets' open loops too.
"""

import time
from typing import Any

import gevent
import msgspec
from locust import FastHttpUser, between, task
from typing_extensions import override

from loadtests.outcomes import Notebook
from loadtests.payments import Payments
from loadtests.run import run
from loadtests.sending import Persistent, Till
from loadtests.turns import read_turn
from serve.client import LiveError, Position, Refused, Snapshot, Unreachable
from serve.client.blocking import Live, connect

_SPEND_S = 20.0
_GOODBYE_S = 15.0


class Screen:
    """What the phone has shown: it follows the stream in a greenlet, across being put away."""

    def __init__(self, url: str, user: str, token: str, notebook: Notebook) -> None:
        self.user = user
        self.start = self.seq = -1
        self.resumes = 0
        self._url, self._token, self._notebook = url, token, notebook
        self._position: Position | None = None
        self._live: Live | None = None
        self._reader: Any = None
        self._live_from_ns = 0

    @property
    def is_out(self) -> bool:
        """Whether the stream is open."""
        return self._live is not None

    @property
    def live(self) -> Live:
        """The open stream."""
        if self._live is None:
            raise RuntimeError("the phone is put away: take it out first")
        return self._live

    def take_out(self) -> None:
        """Open the stream, from where it was left; try for as long as nobody answers."""
        while True:
            live = connect(self._url, self._token, resume=self._position)
            try:
                live.__enter__()
            except Unreachable:
                self._notebook.outcomes.phone_unreachable += 1
            else:
                break
        self._live = live
        self._live_from_ns = time.monotonic_ns()
        self._reader = gevent.spawn(self._follow, self._live)

    def put_away(self) -> None:
        """Close it, and keep the position of the last turn that was shown."""
        live, self._live = self.live, None
        live.__exit__(None, None, None)
        self._reader.join()
        self._position = live.position
        self.resumes += live.reconnects + 1

    def wait_for(self, seq: int, within_s: float) -> None:
        """Wait until a turn was shown."""
        give_up = time.monotonic() + within_s
        while self.seq < seq and time.monotonic() < give_up:
            gevent.sleep(0.05)

    def _follow(self, live: Live) -> None:
        try:
            for item in live.frames():
                arrived_ns = time.monotonic_ns()
                if isinstance(item, Snapshot):
                    self.start = self.seq = item.seq
                    continue
                self.seq = item.seq
                seen = read_turn(b'{"t":"turn","seq":%d,' % item.seq + bytes(item.raw))
                external_id = seen.external_id if seen else None
                self._notebook.heard(self.user, item.seq, external_id)
                if seen is not None and seen.sent_ns is not None and seen.sent_ns >= self._live_from_ns:
                    self._notebook.took("push", seen.sent_ns, arrived_ns)
        except LiveError as error:
            if self._live is live:
                self._notebook.untyped(f"the stream of {self.user} ended by itself: {error!r}")


class Phone(FastHttpUser):
    """One person."""

    abstract = True
    host = "http://127.0.0.1"
    wait_time = between(0.5, 3.0)
    network_timeout = 30.0
    max_retries = 0

    @override
    def on_start(self) -> None:
        """Sign in (by token), open the socket, and have a jar."""
        current = run()
        user, token = current.next_phone()
        self._notebook = current.notebook
        self._rng = current.rng(user)
        self._requests = Persistent(self.client, token, self._notebook, self._rng)
        self._till = Till(self._notebook)
        self._payments = Payments(current.plan.seed, f"lt-{current.plan.run_id}-{user}")
        self._acked = 0
        self._screen = Screen(current.plan.url, user, token, current.notebook)
        self._screen.take_out()
        jar = self._write("POST", "/api/v1/jars", {"name": "Rainy day"})
        self._jar_id = jar["jar_id"] if jar else ""

    @override
    def on_stop(self) -> None:
        """See the last of what was acknowledged, and leave."""
        screen = self._screen
        if not screen.is_out:
            screen.take_out()
        screen.wait_for(self._acked, _GOODBYE_S)
        screen.put_away()
        outcomes = self._notebook.outcomes
        outcomes.phones.append((screen.user, screen.start, screen.seq, max(screen.seq, self._acked)))
        outcomes.phone_resumes += screen.resumes - 1

    @task(10)
    def look(self) -> None:
        """Look at the first screen."""
        self._read("/api/v1/overview")

    @task(6)
    def list_payments(self) -> None:
        """Scroll through the last payments."""
        self._read("/api/v1/transactions?limit=50", "/api/v1/transactions")

    @task(8)
    def spend(self) -> None:
        """Enter a payment over REST."""
        due_ns = time.monotonic_ns()
        body = msgspec.json.encode(self._event(due_ns))
        answer = self._requests.ask("POST", "/api/v1/transactions", body, name="/api/v1/transactions (phone)")
        if answer is not None:
            self._notebook.took("write", due_ns, time.monotonic_ns())
            self._acked = max(self._acked, self._till.take_one(answer, again=False))

    @task(8)
    def spend_on_the_socket(self) -> None:
        """Enter a payment over the open socket."""
        due_ns = time.monotonic_ns()
        body = self._event(due_ns)
        try:
            receipt = self._screen.live.spend(body, _SPEND_S)
        except Refused as refused:
            if refused.problem.get("status") in (429, 503):
                self._notebook.retryable(refused.problem["status"])
            else:
                self._notebook.untyped(f"socket: {refused}")
        except TimeoutError:
            self._notebook.gave_up(f"socket: {body['external_id']}")
        else:
            self._notebook.took("socket", due_ns, time.monotonic_ns())
            self._notebook.acknowledged(receipt["user_id"], receipt["seq"], receipt["external_id"])
            self._acked = max(self._acked, receipt["seq"])

    @task(1)
    def deposit(self) -> None:
        """Put something into the jar by hand."""
        if self._jar_id:
            self._write("POST", f"/api/v1/jars/{self._jar_id}/deposit", {"amount": 1_000}, "/api/v1/jars/{id}/deposit")

    @task(1)
    def plan_the_month(self) -> None:
        """Set a budget."""
        self._write("PUT", "/api/v1/budgets/food", {"limit": self._rng.randrange(5_000, 9_000) * 100})

    @task(2)
    def put_away(self) -> None:
        """Put the phone away for a while; it resumes."""
        self._screen.put_away()
        gevent.sleep(self._rng.uniform(0.5, 4.0))
        self._screen.take_out()

    def _event(self, due_ns: int) -> dict[str, Any]:
        return self._payments.next(due_ns)

    def _read(self, path: str, name: str = "") -> None:
        due_ns = time.monotonic_ns()
        if self._requests.ask("GET", path, name=name) is not None:
            self._notebook.took("read", due_ns, time.monotonic_ns())

    def _write(self, method: str, path: str, body: dict[str, Any], name: str = "") -> dict[str, Any] | None:
        due_ns = time.monotonic_ns()
        key = f"{self._screen.user}-{due_ns}"
        answer = self._requests.ask(method, path, msgspec.json.encode(body), name=name, key=key)
        if answer is None:
            return None
        self._notebook.took("write", due_ns, time.monotonic_ns())
        decoded: dict[str, Any] = msgspec.json.decode(answer.content)
        return decoded
