"""How wallets send: on a schedule that nothing delays, the same again until it is answered, each answer judged."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, cast

import gevent
import msgspec
from gevent.pool import Pool
from msgspec import Struct

from loadtests.outcomes import Notebook

if TYPE_CHECKING:
    # Importing Locust patches the standard library of the process, which only a generator wants.
    from locust.contrib.fasthttp import FastHttpSession

PATIENCE_S = 30.0
IN_FLIGHT_MAX = 2_000
"""Requests of one sender under way. More is a server that has stopped answering: what is due is then not sent, and
`sent_share` says so."""
_LINE_S = 0.2
_RETRYABLE = (429, 503)


class Answer(Protocol):
    """What a sender needs of Locust's responses; status 0 and no headers where the line failed."""

    @property
    def status_code(self) -> int:
        """The status, 0 without one."""

    @property
    def headers(self) -> Any:
        """The headers, None without any."""

    @property
    def content(self) -> bytes:
        """The body."""


class Result(Struct, frozen=True):
    """A receipt or a problem, as far as a sender looks at it: `status` is 0 in a receipt."""

    external_id: str = ""
    user_id: str = ""
    seq: int = 0
    duplicate: bool = False
    status: int = 0
    title: str = ""
    detail: str | None = None


class Results(Struct, frozen=True):
    """The answer to a batch."""

    results: list[Result]


_one = msgspec.json.Decoder(Result)
_many = msgspec.json.Decoder(Results)


def paced(moments_s: Iterable[float], begin_ns: int) -> Iterator[int]:
    """Yield, at each moment of a schedule or as soon after as this process can, when it was due."""
    for moment_s in moments_s:
        due_ns = begin_ns + int(moment_s * 1e9)
        if (early_ns := due_ns - time.monotonic_ns()) > 0:
            gevent.sleep(early_ns / 1e9)
        yield due_ns


class OpenLoop:
    """Starts what is due when it is due, whatever has become of what was started before."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._pool = Pool(IN_FLIGHT_MAX)

    def run(self, due: Iterable[int], events: Callable[[int], list[dict[str, Any]]], send: Callable[..., None]) -> None:
        """For each due moment make its events and send them in their own greenlet; return when all is answered."""
        outcomes = self._notebook.outcomes
        for due_ns in due:
            made = events(due_ns)
            outcomes.due += len(made)
            if self._pool.free_count() == 0:
                continue
            self._notebook.was_late(due_ns, time.monotonic_ns())
            outcomes.sent += len(made)
            self._pool.spawn(send, due_ns, made)
        self._pool.join(PATIENCE_S + 5.0)


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds a typed refusal asks to wait, None when the answer is no such refusal."""
    said = str(answer.headers.get("Retry-After", "")) if answer.headers is not None else ""
    is_problem = answer.headers is not None and "problem+json" in str(answer.headers.get("Content-Type", ""))
    if answer.status_code not in _RETRYABLE or not is_problem or not said.isdigit():
        return None
    return float(said)


class Persistent:
    """Sends one request until it is answered: retries what says so, and broken lines; judges everything else."""

    def __init__(self, session: "FastHttpSession", token: str, notebook: Notebook, rng: random.Random) -> None:
        self._session: Any = session
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._notebook = notebook
        self._rng = rng

    def ask(self, method: str, path: str, body: bytes | None = None, *, name: str = "", key: str = "") -> Answer | None:
        """Return the first 2xx, or None when there will be none; every refusal is in the notebook.

        `name` is the line of Locust's table, the path by default; `key` an idempotency key.
        """
        headers = {**self._headers, "Idempotency-Key": key} if key else self._headers
        give_up = time.monotonic() + PATIENCE_S
        while True:
            answer = self._session.request(method, path, data=body, headers=headers, name=name or path)
            if 200 <= answer.status_code < 300:
                return cast("Answer", answer)
            wait_s = self._wait_s(answer)
            if wait_s is None:
                return None
            if time.monotonic() + wait_s > give_up:
                self._notebook.gave_up(f"{method} {path}: {answer.status_code} {answer.content!r}")
                return None
            gevent.sleep(wait_s * self._rng.uniform(1.0, 1.5))

    def _wait_s(self, answer: Any) -> float | None:
        """Note a refusal; return after how long to send the same again, None for never."""
        if answer.status_code == 0:
            self._notebook.line_error(type(answer.error).__name__)
            return _LINE_S
        asked_s = retry_after_s(answer)
        if asked_s is None:
            self._notebook.untyped(f"{answer.status_code} {answer.content[:300]!r}")
        else:
            self._notebook.retryable(answer.status_code)
        return asked_s


class Till:
    """Takes the answers to events: notes each acknowledgement once, and judges what was sent again."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def take_one(self, answer: Answer, *, again: bool) -> int:
        """Take the answer to a single event and return its `seq`; `again`: it had been answered before."""
        result = _one.decode(answer.content)
        self._take(result, again=again)
        return result.seq

    def take_batch(self, answer: Answer, done: set[str], *, again: bool) -> bool:
        """Take the answer to a batch, but for what is `done`; return whether the batch has to be sent again."""
        results = _many.decode(answer.content).results
        for result in results:
            if result.status in _RETRYABLE:
                self._notebook.retryable(result.status)
            elif result.external_id not in done or again:
                self._take(result, again=again)
                done.add(result.external_id)
        return any(result.status in _RETRYABLE for result in results)

    def _take(self, result: Result, *, again: bool) -> None:
        if result.status:
            self._notebook.untyped(f"{result.status} {result.title}: {result.detail}")
        elif again:
            self._notebook.duplicate(recognised=result.duplicate, what=result.external_id)
        else:
            self._notebook.acknowledged(result.user_id, result.seq, result.external_id)
