"""A shard: hosts thousands of virtual actors, batches their turns into commits, and gates what leaves on the commit.

The worker takes what is pending, reads what it must know, carries out each envelope in order, and lets the committer
commit. Replies, reads and feed frames leave only after the commit they rest on.
"""

import logging
import math
from asyncio import CancelledError, Event, Task, create_task, gather, get_running_loop, sleep
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import Any

from msgspec import Struct

from actors.activator import Activator
from actors.cause import about
from actors.clock import InstanceClock
from actors.committer import Committer
from actors.decider import Decider, StaleMemory
from actors.entity import Activation
from actors.feed import Feed, turn_frame
from actors.journal import DataRejected, DueTimer, Fenced, Journal, JournalDown, JournalError, Reading
from actors.kinds import Kinds, hosted
from actors.limits import Limits
from actors.measures import COMMAND, QUERY, ShardMeasures
from actors.messages import Envelope, Outcome, Pull, Pulled
from actors.meters import Series
from actors.outbox import Handler, Outbox
from actors.residents import Residents
from actors.snapshot_writer import SnapshotWriter
from actors.timers import Timers, envelope_of
from actors.tracing import TRACES
from actors.turns import Batch, Call, Item, poisoned, unavailable
from engine.behaviour import Behaviour

_log = logging.getLogger(__name__)

_DRAIN_POLL_S = 0.002


class Stats(Struct, frozen=True):
    """How a shard is doing. `applied_age_s` growing while `queued` is not 0 means that it is stuck."""

    shard: int
    term: int
    state: str
    queued: int
    queued_bytes: int
    active: int
    turns: int
    commits: int
    applied_age_s: float
    timers_fired: int
    timers_refused: int
    timers_parked: int
    messages_delivered: int
    messages_failed: int


class EntityShard:
    """One incarnation of a shard, between `start` and `stop`. Not bound to any transport."""

    def __init__(
        self,
        behaviours: Kinds | Behaviour,
        journal: Journal,
        *,
        shard: int,
        shards: int,
        owner: str,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        on_fenced: Callable[[], None],
        limits: Limits | None = None,
        handlers: Mapping[str, Handler] | None = None,
        clock: InstanceClock | None = None,
    ) -> None:
        """`handlers` deliver what turns send, by channel; `clock`, of a sandbox, is what `now` tells.

        `owner` names this incarnation, unlike any other; `on_fenced` is called once, when it must end."""
        kinds = hosted(behaviours)
        self._journal = journal
        self._shard = shard
        self._shards = shards
        self._owner = owner
        self._now = now
        self._on_fenced = on_fenced
        self._limits = limits or Limits()
        self.measures = ShardMeasures(on=self._limits.measure)
        self._clock = clock
        self._term = 0
        self._confirmed_at = -math.inf
        self._state = "starting"
        self._queue: deque[Item] = deque()
        self._queue_bytes = 0
        self._held: list[Item] = []
        self._redo: deque[list[Item]] = deque()
        self._wake = Event()
        self._busy = False
        self._tasks: list[Task[None]] = []
        self._sources: list[Callable[[], list[Series]]] = []
        self._snapshots = SnapshotWriter(journal, self._limits.snapshots_waiting_max, self.measures)
        self._residents = Residents(self._on_leave)
        self._committer = Committer(journal, self._on_settled, self._on_failed, self.measures)
        self._activator = Activator(
            kinds, journal, self._residents, self._committer, now, self._limits.recoveries_max, self.measures
        )
        self._decider = Decider(
            kinds, self._residents, self._committer, now, new_id, self._limits.snapshot_every, self._leapt
        )
        self.timers = Timers(journal, self._fire, now, shard, shards, self._limits, self._leapt)
        self.outbox = Outbox(journal, handlers or {}, now, shard, shards, self._limits, self.measures)
        self._feed = Feed(owner, journal, self._committed_head, kinds, now, self._limits, self.measures)

    async def start(self) -> None:
        """Claim the term and begin to work. Raises `JournalDown`, and `Fenced` when the layout is another."""
        self._term = await self._journal.claim(self._shard, self._shards, self._owner)
        if self._term > 1 or self._shards > 1:
            # Of a new number too: its slots may have been another shard's in the last layout.
            await sleep(self._limits.lease_s)
        if self._clock is not None:
            self._clock.put_ahead(await self._journal.clock_ahead())
        self._state = "working"
        _log.info("shard %d of %d works in term %d", self._shard, self._shards, self._term)
        work: list[Coroutine[Any, Any, None]] = [
            self._work(),
            self._committer.run(self._shard, self._term),
            self._snapshots.run(),
            self.timers.run(self._term),
            self.outbox.run(self._term),
            self._sweep_forever(),
        ]
        if self._clock is not None:
            work.append(self._follow_clock(self._clock))
        self._tasks = [create_task(part) for part in work]

    async def stop(self) -> None:
        """End without ceremony, as if killed: what is not committed is lost, and was never acknowledged."""
        self._state = "stopped"
        for task in self._tasks:
            task.cancel()
        await gather(*self._tasks, return_exceptions=True)
        self._feed.close()
        await self._journal.close()

    async def drain(self) -> None:
        """Take nothing more, commit what was taken, and keep snapshots of what is in memory. Raises `JournalError`."""
        if self._state == "working":
            self._state = "draining"
        while self._state == "draining" and self._unfinished:
            self._wake.set()
            await sleep(_DRAIN_POLL_S)
        for activation in self._residents:
            self._on_leave(activation)
        await self._snapshots.flush()
        _log.info("shard %d is drained after %d turns", self._shard, self._committer.turns)

    @property
    def _unfinished(self) -> bool:
        return bool(self._busy or self._queue or self._held or self._redo or not self._committer.idle)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """Carry out envelopes, those of one entity in the order given; outcomes in order."""
        call = Call(len(envelopes), get_running_loop())
        return await self._carry_out(call, [Item(call, index, envelope) for index, envelope in enumerate(envelopes)])

    async def _fire(self, timers: Sequence[DueTimer]) -> list[Outcome]:
        """Carry out the commands of due timers, each in a turn that deletes its timer."""
        call = Call(len(timers), get_running_loop())
        return await self._carry_out(
            call, [Item(call, index, envelope_of(timer), timer) for index, timer in enumerate(timers)]
        )

    async def _carry_out(self, call: Call, items: list[Item]) -> list[Outcome]:
        size = sum(item.size for item in items)
        reason = self._overload(len(items), size)
        if reason:
            self.measures.overloads.inc()
            return [unavailable(reason)] * len(items)
        if TRACES.on:
            for item in items:
                item.trace()
        self._queue.extend(items)
        self._queue_bytes += size
        self._wake.set()
        await call.done
        self.measures.answered(call.outcomes, perf_counter() - call.came_at)
        return call.outcomes

    def _overload(self, commands: int, size: int) -> str | None:
        if self._state != "working":
            return f"shard {self._shard} is {self._state}"
        limits = self._limits
        if len(self._queue) + commands > limits.queue_commands_max or self._queue_bytes + size > limits.queue_bytes_max:
            return f"shard {self._shard} is overloaded: {len(self._queue)} commands wait"
        return None

    async def pull(self, request: Pull) -> Pulled:
        """Long-poll the feed. Raises `JournalError`."""
        return await self._feed.pull(request)

    def stats(self) -> Stats:
        """Return how the shard is doing."""
        return Stats(
            shard=self._shard,
            term=self._term,
            state=self._state,
            queued=len(self._queue) + len(self._held) + sum(map(len, self._redo)),
            queued_bytes=self._queue_bytes,
            active=len(self._residents),
            turns=self._committer.turns,
            commits=self._committer.commits,
            applied_age_s=(self._now() - self._decider.applied_at).total_seconds(),
            timers_fired=self.timers.fired,
            timers_refused=self.timers.refused,
            timers_parked=self.timers.parked,
            messages_delivered=self.outbox.delivered,
            messages_failed=self.outbox.failed,
        )

    def series(self) -> list[Series]:
        """Return what was counted here, for Prometheus."""
        stats, measures = self.stats(), self.measures
        measures.term.set(stats.term)
        measures.working.set(stats.state == "working")
        measures.queue_commands.set(stats.queued)
        measures.queue_bytes.set(stats.queued_bytes)
        measures.applied_age.set(stats.applied_age_s)
        measures.residents.set(stats.active)
        measures.turns.reach(stats.turns)
        measures.timers.reach(stats.timers_fired, "fired")
        measures.timers.reach(stats.timers_refused, "refused")
        measures.timers.reach(stats.timers_parked, "parked")
        measures.drops.reach(self._residents.generation)
        self.outbox.measure()
        self._feed.measure()
        return [*measures.series(), *(series for source in self._sources for series in source())]

    def counts_too(self, source: Callable[[], list[Series]]) -> None:
        """Show what something beside this shard counts with what the shard does."""
        self._sources.append(source)

    def sweep(self) -> int:
        """Passivate idle entities and forget gateways that are gone; return how many entities left."""
        self._feed.sweep()
        left = self._residents.sweep(self._now(), self._limits.idle_s)
        self.measures.passivations.inc("idle", by=left)
        return left

    async def _sweep_forever(self) -> None:
        while True:
            await sleep(self._limits.sweep_every_s)
            self.sweep()

    def _leapt(self) -> bool:
        return self._clock is not None and self._clock.moved

    async def _follow_clock(self, clock: InstanceClock) -> None:
        while True:
            await sleep(self._limits.clock_poll_s)
            try:
                if clock.put_ahead(await self._journal.clock_ahead()):
                    self.timers.nudge()
                    self.outbox.nudge()
            except JournalError as error:
                _log.warning("shard %d cannot read the instance's clock: %s", self._shard, error)

    def _committed_head(self, entity_id: str) -> int | None:
        activation = self._residents.peek(entity_id)
        return None if activation is None else activation.committed

    def _on_leave(self, activation: Activation) -> None:
        """Keep a snapshot of an entity all of whose turns are committed."""
        if activation.pending is None and activation.seq > activation.snapshot_seq:
            try:
                self._snapshots.keep(activation.snapshot())
                activation.snapshot_seq = activation.seq
            except Exception:
                _log.exception("cannot take a snapshot", extra=about(entity=activation.entity_id))

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while True:
                self._committer.forget_settled()
                redone = bool(self._redo)
                items = self._take()
                if not items:
                    break
                self._busy = True
                try:
                    await self._iterate(items, redone)
                except CancelledError:
                    raise
                except Exception:
                    _log.exception("an iteration of shard %d failed", self._shard)
                    self._refuse(items, "the shard failed; try again")
                finally:
                    self._busy = False
                while self._redo and not self._committer.idle:
                    await self._committer.progress()
                if len(self._committer.forming.writes) >= self._limits.batch_max:
                    await self._committer.progress()

    def _take(self) -> list[Item]:
        """Return what the next iteration carries out: a group to be redone alone, else what waits in order."""
        if self._redo:
            return self._redo.popleft()
        held, self._held = self._held, []
        items: list[Item] = []
        for item in held:
            self._place(item, items)
        while self._queue and len(items) < self._limits.iteration_max:
            item = self._queue.popleft()
            self._queue_bytes -= item.size
            if item.index == 0:
                self.measures.queue_wait.observe(perf_counter() - item.call.came_at)
            if self._decider.read(item):
                self._place(item, items)
        return items

    def _place(self, item: Item, items: list[Item]) -> None:
        """Put an item into the iteration, or hold it until the last activation of its entity is gone."""
        (self._held if self._residents.is_leaving(item.envelope.entity_id) else items).append(item)

    async def _read(self, items: list[Item], redone: bool) -> Reading | None:
        """Return what an iteration must know; None when it cannot go on: its items are answered, or come again."""
        if self._state in ("fenced", "disconnected"):
            self._refuse(items, f"shard {self._shard} is {self._state}")
            return None
        if TRACES.on:
            _enter(items, "facts read")
        try:
            began = perf_counter()
            reading = await self._activator.prepare(items)
            self.measures.read_seconds.observe(perf_counter() - began)
            if reading is not None and await self._confirm():
                return reading
        except Fenced as error:
            self._residents.drop_all()
            self._refuse(items, f"not answered: {error}")
            self._end()
            return None
        except DataRejected:
            if redone or not self._redo:
                self._split(items)
                return None
        except JournalError as error:
            self._refuse(items, f"the journal cannot be read: {error}")
            return None
        self._again(items, redone)
        return None

    async def _iterate(self, items: list[Item], redone: bool) -> None:
        reading = await self._read(items, redone)
        if reading is None:
            return
        again = []
        measures = self.measures
        measures.iteration_commands.observe(len(items))
        measures.begin_laps()
        for item in items:
            activation = self._residents.use(item.envelope.entity_id, self._now())
            if activation is not None:
                if item.story is not None:
                    item.story.enter("decide")
                try:
                    self._decider.carry_out(item, activation, reading)
                except StaleMemory as stale:
                    _log.warning("%s: memory is dropped", stale)
                    self._residents.retire(activation)
                    again.append(item)
            elif item.envelope.entity_id in self._activator.unreadable:
                item.resolve(poisoned("the journal of this entity cannot be read by this release"))
            else:
                again.append(item)
            if item.story is not None:
                item.story.enter("commit")
            measures.lap(QUERY if item.envelope.command_id is None else COMMAND)
        self._again(again, redone)
        self._committer.nudge()
        self._make_room()
        if self._redo:
            await self._committer.settle()

    def _make_room(self) -> None:
        left = self._residents.trim(self._limits.entities_max)
        if left:
            self.measures.passivations.inc("room", by=left)

    def _again(self, items: list[Item], redone: bool) -> None:
        """Put items that found no memory to work on before all that came after them."""
        if redone and items:
            self._redo.appendleft(items)
        else:
            self._held[:0] = items

    async def _confirm(self) -> bool:
        """Make sure that no successor answers yet; return whether memory is the same as before. Raises `JournalError`.

        A stale incarnation cannot commit, but its memory could still answer a read, a refusal: so the term must have
        been ours less than a lease ago, and a successor lets a lease pass before it begins.
        """
        asked = get_running_loop().time()
        if asked - self._confirmed_at < self._limits.lease_s:
            return True
        generation = self._residents.generation
        await self._journal.confirm(self._shard, self._term)
        self._confirmed_at = asked
        return self._residents.generation == generation

    def _split(self, items: list[Item]) -> None:
        """Redo items in halves, so that what the storage refuses is found; alone, it is the one."""
        if not items:
            return
        if len(items) == 1:
            items[0].resolve(poisoned("the storage refuses something in this command"))
            return
        middle = len(items) // 2
        self._redo.extendleft((items[middle:], items[:middle]))

    @staticmethod
    def _refuse(items: Sequence[Item], reason: str) -> None:
        for item in items:
            if not item.answered:
                item.resolve(unavailable(reason))

    def _on_settled(self, batch: Batch) -> None:
        frames = []
        for activation, turn, meta in batch.made:
            activation.committed = turn.seq
            if activation.pending is batch:
                activation.pending = None
            if self._feed.listens(turn.entity_id):
                frames.append(turn_frame(activation.behaviour, turn, meta))
        batch.reply()
        if _log.isEnabledFor(logging.DEBUG):
            _tell(batch)
        for write in batch.writes:
            rows = write.rows
            if rows.timers:
                self.timers.expect(rows.timers)
            if rows.outbox:
                self.outbox.expect(rows.outbox)
        if frames:
            self._feed.publish(frames)
        for snapshot in batch.snapshots:
            self._snapshots.keep(snapshot)
        if self._held:
            self._wake.set()

    async def _on_failed(self, batches: list[Batch], error: JournalError) -> None:
        _log.warning("shard %d term %d: %s: %s", self._shard, self._term, type(error).__name__, error)
        self._wake.set()
        made = [activation for batch in batches for activation, _, _ in batch.made]
        if isinstance(error, DataRejected):
            self._residents.drop(made)
            failed, on_top = batches
            if on_top.items:
                self._redo.appendleft(on_top.items)
            self._split(failed.items)
            return
        if isinstance(error, JournalDown):
            self._residents.drop(made)
        else:
            self._residents.drop_all()
        outcome = unavailable(f"not committed: {error}")
        for batch in batches:
            batch.reply(outcome)
        if isinstance(error, Fenced):
            self._end()
        elif isinstance(error, JournalDown):
            await self._reconnect()

    async def _reconnect(self) -> None:
        """Come back with the same term, or find out that it is another's."""
        state, self._state = self._state, "disconnected"
        self._refuse_all()
        pause = self._limits.back_off_s_min
        while True:
            try:
                await self._journal.resume(self._shard, self._term)
            except Fenced:
                self._residents.drop_all()
                self._end()
                return
            except JournalError as error:
                _log.warning("shard %d cannot reach its journal: %s", self._shard, error)
                await sleep(pause)
                pause = min(pause * 2, self._limits.back_off_s_max)
            else:
                self._state = state
                self.measures.reconnects.inc()
                return

    def _end(self) -> None:
        """Answer no more: the shard has another owner."""
        if self._state == "fenced":
            return
        self._state = "fenced"
        _log.warning("shard %d has another owner than term %d, and ends", self._shard, self._term)
        self._refuse_all()
        self._feed.close()
        self._on_fenced()

    def _refuse_all(self) -> None:
        """Answer all that waits: its client will try again, here or at the next owner."""
        waiting = [*(item for group in self._redo for item in group), *self._held, *self._queue]
        self._redo.clear()
        self._held.clear()
        self._queue.clear()
        self._queue_bytes = 0
        self._refuse(waiting, f"shard {self._shard} is {self._state}")


def _tell(batch: Batch) -> None:
    """Write down each turn of a committed batch."""
    for activation, turn, meta in batch.made:
        _log.debug(
            "turn committed with %d others",
            len(batch.made) - 1,
            extra=about(request_id=meta.request_id, entity=activation.entity_id, seq=turn.seq, origin=meta.origin),
        )


def _enter(items: list[Item], stage: str) -> None:
    """Say which stage the items that are recorded enter."""
    for item in items:
        if item.story is not None:
            item.story.enter(stage)
