"""Durable timers: rows that commit with the turn that sets them, fired as commands whose turn deletes them.

Exactly once: the command id names the timer and its time, so a second firing finds the first in the journal, and the
row is gone with the commit of the turn or not at all. Whoever owns the shard fires; a stale owner commits nothing.
"""

import logging
from asyncio import Event, sleep
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from actors.alarm import rest
from actors.cause import about
from actors.feed import rfc3339
from actors.journal import DueTimer, Journal, JournalError
from actors.limits import Limits
from actors.messages import Envelope, Meta, Outcome
from engine.behaviour import TimerRow

_log = logging.getLogger(__name__)

_PAUSE_S = 0.2
"""Before timers are tried again that the shard could not take, or that could not be read."""


def command_id_of(timer: DueTimer) -> str:
    """Return the id that this firing has however often it is tried; what follows from it can be found by it."""
    return f"timer:{timer.timer_id}:{rfc3339(timer.due)}"


def envelope_of(timer: DueTimer) -> Envelope:
    """Return the command of a timer; its id is its request id too."""
    command_id = command_id_of(timer)
    return Envelope(timer.entity_id, command_id, timer.body, Meta("timer", "timer", command_id))


class Timers:
    """Watches the due timers of one shard's slots and has them carried out, earliest first."""

    def __init__(
        self,
        journal: Journal,
        fire: Callable[[Sequence[DueTimer]], Awaitable[list[Outcome]]],
        now: Callable[[], datetime],
        shard: int,
        shards: int,
        limits: Limits,
        leapt: Callable[[], bool],
    ) -> None:
        """`fire` carries out commands of timers as turns that delete them; outcomes in order.

        While the clock has `leapt`, an entity's next timer is read anew after each: what one sets may be due before.
        """
        self._journal = journal
        self._fire = fire
        self._now = now
        self._shard = shard
        self._shards = shards
        self._limits = limits
        self._leapt = leapt
        self._wake = Event()
        self._next: datetime | None = None
        self.fired = 0
        self.refused = 0
        self.parked = 0
        """How often a timer was put off because its command broke its turn."""

    def expect(self, timers: Sequence[TimerRow]) -> None:
        """Learn of timers that were just committed, so as to wake for the earliest."""
        before = self._next
        for timer in timers:
            if timer.body is not None:
                self._wake_at(timer.due)
        if self._next != before:
            self._wake.set()

    def _wake_at(self, at: datetime | None) -> None:
        if at is not None and (self._next is None or at < self._next):
            self._next = at

    def nudge(self) -> None:
        """Look now: the clock was moved."""
        self._wake.set()

    async def run(self, term: int) -> None:
        """Fire for as long as the shard lives."""
        pause = _PAUSE_S
        while True:
            self._wake.clear()
            try:
                more = await self._pass(term)
                pause = _PAUSE_S
            except JournalError as error:
                _log.warning("timers of shard %d cannot be fired now: %s", self._shard, error)
                await sleep(pause)
                pause = min(2 * pause, self._limits.back_off_s_max)
            except Exception:
                _log.exception("timers of shard %d cannot be fired", self._shard)
                await sleep(self._limits.timers_poll_s)
            else:
                if not more:
                    await rest(self._wake, self._limits.timers_poll_s, self._next, self._now)

    async def _pass(self, term: int) -> bool:
        """Fire what is due, up to a bound; return whether there may be more. Raises `JournalError`."""
        self._next = None
        limit = self._limits.timers_at_once_max
        due, following = await self._journal.due_timers(self._shard, self._shards, self._now(), limit)
        self._wake_at(following)
        if not due:
            return False
        if self._leapt():
            due = list({timer.entity_id: timer for timer in reversed(due)}.values())[::-1]
        outcomes = await self._fire(due)
        spent = []
        unavailable = False
        for timer, outcome in zip(due, outcomes, strict=True):
            if outcome.status == "unavailable":
                unavailable = True
            elif outcome.status == "done":
                self.fired += 1
            elif outcome.problem is not None and outcome.problem.code == "poison":
                await self._park(term, timer, outcome.problem.detail)
            else:
                self._note(timer, outcome)
                spent.append(timer)
        if spent:
            await self._journal.drop_timers(self._shard, term, spent)
        if unavailable:
            await sleep(_PAUSE_S)
        return True

    def _note(self, timer: DueTimer, outcome: Outcome) -> None:
        """Count a timer that made no turn: refused, or carried out by an earlier firing at the same time."""
        if outcome.problem is not None:
            self.refused += 1
            _log.warning(
                "timer %s, due %s, was refused and is deleted: %s",
                timer.timer_id,
                timer.due,
                outcome.problem.code,
                extra=about(entity=timer.entity_id, request_id=command_id_of(timer)),
            )

    async def _park(self, term: int, timer: DueTimer, detail: str) -> None:
        """Put a timer off, the longer the more often it failed: one bug must not fire for ever, nor lose a timer."""
        limits = self._limits
        pause = min(limits.timer_park_s_min * 2.0 ** min(timer.tries, 32), limits.timer_park_s_max)
        self.parked += 1
        _log.error(
            "timer %s, due %s, failed for the %d. time and waits %.0f s: %s",
            timer.timer_id,
            timer.due,
            timer.tries + 1,
            pause,
            detail,
            extra=about(entity=timer.entity_id, request_id=command_id_of(timer)),
        )
        await self._journal.park_timer(self._shard, term, timer, self._now() + timedelta(seconds=pause))
