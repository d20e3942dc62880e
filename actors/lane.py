"""A client's way to one shard: commands of concurrent requests, coalesced into few calls.

A call has at most 200 commands and about 90 KB each way: beyond 100 KB Ray goes through its object store. The commands
of an entity are never in two calls in flight, since async actors keep no order; while one is tried again the later
ones wait.
"""

import logging
import random
from asyncio import AbstractEventLoop, CancelledError, Future, Task, TimerHandle, get_running_loop, timeout
from collections import defaultdict, deque
from math import inf

from msgspec import Struct

from actors.cause import REQUEST_ID
from actors.measures import LaneMeasures
from actors.messages import Envelope, Outcome, Problem
from actors.tracing import TRACES, story_of, within
from actors.transport import Transport, TransportLost
from actors.wire import decode_outcomes, encode_envelopes

_log = logging.getLogger(__name__)

WAITS = "lane wait"
_FRAMING = 120
"""Bytes of an envelope or an outcome around its body, generously."""


class LaneLimits(Struct, frozen=True):
    """Limits of a lane. Times in seconds."""

    call_commands_max: int = 200
    call_bytes_max: int = 90_000
    calls_max: int = 2
    """Calls in flight, so that what comes meanwhile is coalesced."""
    full_calls_max: int = 6
    """Calls in flight while those that wait would fill another: a batch need not wait for a commit a call."""
    pace_s: float = 0.002
    """Least time between two calls that are not full: a call costs both processes the same, whatever it holds."""
    waiting_max: int = 20_000
    call_s_max: float = 8.0
    """A call that takes longer counts as lost; less than the deadline, so that it is tried again."""
    deadline_s: float = 15.0
    back_off_s_min: float = 0.05
    back_off_s_max: float = 1.0
    measure: bool = True
    """Whether what goes this way is counted, for Prometheus."""


class Answers:
    """The outcomes of envelopes sent together: a future for all of them costs less than one each."""

    __slots__ = ("_missing", "future", "outcomes")

    def __init__(self, size: int, future: "Future[None]") -> None:
        self.outcomes: list[Outcome] = [None] * size  # type: ignore[list-item]  # all set before `future`
        self.future = future
        self._missing = size
        if size == 0:
            future.set_result(None)

    def settle(self, index: int, outcome: Outcome) -> None:
        """Set one outcome, once."""
        self.outcomes[index] = outcome
        self._missing -= 1
        if self._missing == 0 and not self.future.done():
            self.future.set_result(None)


class Entry:
    """One envelope on its way."""

    __slots__ = ("answers", "deadline", "envelope", "index", "size", "story", "tries")

    def __init__(self, envelope: Envelope, answers: Answers, index: int, deadline: float) -> None:
        self.story = story_of(envelope, "submit", WAITS) if TRACES.on else None
        self.envelope = envelope if self.story is None else within(envelope, self.story.span.context)
        self.answers = answers
        self.index = index
        self.deadline = deadline
        self.size = len(memoryview(envelope.body)) + len(envelope.entity_id) + _FRAMING
        if envelope.opening is not None:
            self.size += len(memoryview(envelope.opening))
        self.tries = 0


class Lane:
    """The queue to one shard and the calls in flight."""

    def __init__(self, shard: int, transport: Transport, limits: LaneLimits, measures: LaneMeasures) -> None:
        self._shard = shard
        self._measures = measures
        self._transport = transport
        self._limits = limits
        self._queue: deque[Entry] = deque()
        self._behind: defaultdict[str, deque[Entry]] = defaultdict(deque)
        """Entries of entities that are in a call, or between two tries of one."""
        self._engaged: set[str] = set()
        self._calls: set[Task[None]] = set()
        self._scheduled = False
        self._later: TimerHandle | None = None
        self._last_call = -inf
        self._count = 0
        self._reply_bytes = {True: 400.0, False: 1_500.0}
        """How large answers to commands (True) and queries (False) have been lately."""

    @property
    def waiting(self) -> int:
        """How many envelopes have no outcome yet."""
        return self._count

    @property
    def calls(self) -> int:
        """How many calls are in flight."""
        return len(self._calls)

    def room_for(self, envelopes: int) -> bool:
        """Say whether the bounded queue takes so many more."""
        return self._count + envelopes <= self._limits.waiting_max

    def send(self, envelope: Envelope, answers: Answers, index: int) -> None:
        """Queue an envelope; it gets an outcome, `unavailable` included once the deadline is over."""
        loop = get_running_loop()
        self._count += 1
        self._queue.append(Entry(envelope, answers, index, loop.time() + self._limits.deadline_s))
        self._schedule(loop)

    def _schedule(self, loop: AbstractEventLoop) -> None:
        """Send at the end of this turn of the loop, when all that came with it is queued; or when the pace allows."""
        if not self._queue or not self._may_call():
            return
        pause = 0.0 if self._is_full else self._last_call + self._limits.pace_s - loop.time()
        if pause <= 0:
            if not self._scheduled:
                self._scheduled = True
                loop.call_soon(self._pump)
        elif not self._scheduled and self._later is None:
            self._later = loop.call_later(pause, self._pump)

    def _may_call(self) -> bool:
        """Whether another call may go out now."""
        if len(self._calls) < self._limits.calls_max:
            return True
        return self._is_full and len(self._calls) < self._limits.full_calls_max

    @property
    def _is_full(self) -> bool:
        """Whether those that wait would fill a call."""
        waiting, limits = len(self._queue), self._limits
        return waiting >= limits.call_commands_max or waiting * self._reply_bytes[True] >= limits.call_bytes_max

    def _pump(self) -> None:
        self._scheduled = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        while self._may_call():
            entries = self._take()
            if not entries:
                return
            loop = get_running_loop()
            self._last_call = loop.time()
            task = loop.create_task(self._call(entries))
            self._calls.add(task)
            task.add_done_callback(self._called)

    def _called(self, call: Task[None]) -> None:
        """A call has ended: another may go out for what waits."""
        self._calls.discard(call)
        self._schedule(get_running_loop())

    def _take(self) -> list[Entry]:
        """Take the next call: what is first in line and not held up by an earlier command of its entity."""
        entries: list[Entry] = []
        taken: set[str] = set()
        request = reply = 0.0
        limits = self._limits
        now = get_running_loop().time()
        while self._queue and len(entries) < limits.call_commands_max:
            entry = self._queue[0]
            entity_id = entry.envelope.entity_id
            if self._is_over(entry, now):
                self._queue.popleft()
                continue
            if entity_id in self._engaged and entity_id not in taken:
                self._behind[entity_id].append(self._queue.popleft())
                continue
            request += entry.size
            reply += self._reply_bytes[entry.envelope.command_id is not None]
            if entries and max(request, reply) > limits.call_bytes_max:
                break
            entries.append(self._queue.popleft())
            taken.add(entity_id)
            self._engaged.add(entity_id)
        return entries

    def _is_over(self, entry: Entry, now: float) -> bool:
        """Say whether nobody waits for an entry any more, or it has waited too long to be sent."""
        if entry.answers.future.done() or now > entry.deadline:
            self._fail(entry, f"shard {self._shard} could not carry it out in time")
            return True
        return False

    async def _call(self, entries: list[Entry]) -> None:
        # It began in the task of one of them, and works for all.
        REQUEST_ID.set("")
        measures, loop = self._measures, get_running_loop()
        began = loop.time()
        measures.call_commands.observe(len(entries))
        if TRACES.on:
            _tell(entries, "call")
        try:
            async with timeout(self._limits.call_s_max):
                blob = await self._transport.submit(self._shard, encode_envelopes([e.envelope for e in entries]))
            measures.call_seconds.observe(loop.time() - began)
            self._settle(entries, decode_outcomes(blob))
        except CancelledError:
            for entry in entries:
                self._fail(entry, "the client is closed")
            raise
        except Exception as error:
            if not isinstance(error, TransportLost | TimeoutError):
                _log.exception("a call to shard %d failed", self._shard)
            measures.call_seconds.observe(loop.time() - began)
            measures.lost.inc()
            detail = str(error) or f"shard {self._shard} did not answer in time"
            self._settle(entries, [Outcome("unavailable", problem=Problem("unavailable", detail))] * len(entries))

    def _settle(self, entries: list[Entry], outcomes: list[Outcome]) -> None:
        again: defaultdict[str, list[Entry]] = defaultdict(list)
        loop = get_running_loop()
        for entry, outcome in zip(entries, outcomes, strict=True):
            if outcome.status == "unavailable" and loop.time() < entry.deadline and not entry.answers.future.done():
                again[entry.envelope.entity_id].append(entry)
                if entry.story is not None:
                    entry.story.enter(WAITS)
            else:
                self._finish(entry, outcome)
        for entity_id in {entry.envelope.entity_id for entry in entries} - set(again):
            self._release(entity_id, [])
        for entity_id, retries in again.items():
            loop.call_later(self._back_off(retries[0]), self._retry, entity_id, retries)

    def _finish(self, entry: Entry, outcome: Outcome) -> None:
        self._count -= 1
        if entry.story is not None:
            entry.story.end(status=outcome.status, shard=self._shard, tries=entry.tries + 1)
        if outcome.status == "unavailable":
            self._measures.unavailable.inc()
        if outcome.body is not None:
            kind = entry.envelope.command_id is not None
            size = len(memoryview(outcome.body)) + _FRAMING
            before = self._reply_bytes[kind]
            self._reply_bytes[kind] = max(size, before) if size > 2 * before else before * 0.95 + size * 0.05
        entry.answers.settle(entry.index, outcome)

    def _fail(self, entry: Entry, reason: str) -> None:
        self._finish(entry, Outcome("unavailable", problem=Problem("unavailable", reason)))

    def _back_off(self, entry: Entry) -> float:
        """Return a jittered pause in seconds that doubles with each try."""
        entry.tries += 1
        longest = min(self._limits.back_off_s_min * 2**entry.tries, self._limits.back_off_s_max)
        return random.uniform(self._limits.back_off_s_min, longest)

    def _retry(self, entity_id: str, entries: list[Entry]) -> None:
        self._measures.retries.inc(by=len(entries))
        self._release(entity_id, entries)
        self._schedule(get_running_loop())

    def _release(self, entity_id: str, first: list[Entry]) -> None:
        """Put an entity's entries back in line: those to be tried again first, then those that waited behind."""
        self._engaged.discard(entity_id)
        behind = self._behind.pop(entity_id, ())
        self._queue.extendleft(reversed([*first, *behind]))

    async def close(self) -> None:
        """End the calls in flight; what still waits becomes `unavailable`."""
        for task in list(self._calls):
            task.cancel()
        waiting = [*self._queue, *(entry for behind in self._behind.values() for entry in behind)]
        self._queue.clear()
        self._behind.clear()
        for entry in waiting:
            self._fail(entry, "the client is closed")


def _tell(entries: list[Entry], stage: str) -> None:
    """Say which stage those that are recorded enter."""
    for entry in entries:
        if entry.story is not None:
            entry.story.enter(stage)
