"""What a shard counts, and what the way to the shards does."""

from collections import Counter
from collections.abc import Sequence
from time import perf_counter

from actors.journal import TurnWrite
from actors.messages import Outcome
from actors.meters import BYTES, COUNTS, FINE_SECONDS, SECONDS, WIDE_SECONDS, Measures

QUERY, COMMAND = "query", "command"


class ShardMeasures(Measures):
    """Of one incarnation of a shard. Labels take few, fixed values: never an entity's id or a text."""

    def __init__(self, *, on: bool = True) -> None:
        super().__init__(on=on)
        self._lap_from = 0.0
        self._make_state()
        self._make_work()
        self._make_memory()
        self._make_later()

    def _make_state(self) -> None:
        self.term = self._gauge("boond_shard_term", "Term of this incarnation: one more each time the shard was taken")
        self.working = self._gauge("boond_shard_working", "1 while the shard takes commands, else 0")
        self.queue_commands = self._gauge("boond_shard_queue_commands", "Commands that wait for their turn")
        self.queue_bytes = self._gauge("boond_shard_queue_bytes", "Bodies of the commands that wait")
        self.applied_age = self._gauge(
            "boond_shard_applied_age_seconds", "Since the last turn; stuck when it grows while commands wait"
        )
        self.overloads = self._count(
            "boond_shard_overloads_total", "Calls refused whole: the queue is full, or the shard does not work"
        )
        self.reconnects = self._count("boond_shard_reconnects_total", "Times the journal was lost and found again")

    def _make_work(self) -> None:
        self.call_seconds = self._histogram(
            "boond_shard_call_seconds", "Time of a call in the shard, from its arrival to its last outcome", SECONDS
        )
        self.queue_wait = self._histogram(
            "boond_shard_queue_wait_seconds", "Time the first command of a call waited for its iteration", WIDE_SECONDS
        )
        self.read_seconds = self._histogram(
            "boond_shard_read_seconds", "Time to read what an iteration must know, activations included", WIDE_SECONDS
        )
        self.iteration_commands = self._histogram(
            "boond_shard_iteration_commands", "Commands and queries of an iteration", COUNTS
        )
        self.turn_seconds = self._histogram(
            "boond_shard_turn_seconds",
            "Time to decide, evolve and encode one command, or to answer one query",
            FINE_SECONDS,
            "kind",
        )
        self.outcomes = self._count(
            "boond_shard_outcomes_total", "Outcomes: done, replayed, read, refused or unavailable", "status"
        )
        self.refusals = self._count("boond_shard_refusals_total", "Refused commands and queries, by why", "code")
        self.turns = self._count("boond_shard_turns_total", "Committed turns")
        self.commit_seconds = self._histogram(
            "boond_shard_commit_seconds", "Time of one group commit in Postgres, failed ones included", SECONDS
        )
        self.commit_turns = self._histogram("boond_shard_commit_turns", "Turns of one group commit", COUNTS)
        self.commit_bytes = self._histogram("boond_shard_commit_bytes", "Bodies of the turns of one commit", BYTES)
        self.commit_failures = self._count(
            "boond_shard_commit_failures_total",
            "Commits that failed: Conflict, DataRejected, Fenced or JournalDown",
            "error",
        )

    def _make_memory(self) -> None:
        self.residents = self._gauge("boond_shard_residents", "Entities in memory")
        self.activations = self._count("boond_shard_activations_total", "Entities loaded from the journal")
        self.unreadable = self._count(
            "boond_shard_activation_failures_total", "Entities whose journal could not be read"
        )
        self.replayed_turns = self._count(
            "boond_shard_replayed_turns_total", "Turns after the snapshot that activations replayed"
        )
        self.passivations = self._count(
            "boond_shard_passivations_total", "Entities let go: idle, or room for others", "reason"
        )
        self.drops = self._count("boond_shard_memory_drops_total", "Times memory was not trusted and dropped")
        self.snapshots = self._count(
            "boond_shard_snapshots_total", "Snapshots: written, or skipped for a full backlog", "outcome"
        )

    def _make_later(self) -> None:
        self.timers = self._count(
            "boond_shard_timers_total", "Timers: fired, refused, or parked after a broken turn", "outcome"
        )
        self.messages = self._count(
            "boond_outbox_messages_total", "Messages of turns: delivered, or failed and put off", "channel", "outcome"
        )
        self.messages_waiting = self._gauge(
            "boond_outbox_waiting_messages", "Messages read from the outbox and not delivered yet", "channel"
        )
        self.delivery_seconds = self._histogram(
            "boond_outbox_delivery_seconds", "Time of one delivery, failed ones included", WIDE_SECONDS, "channel"
        )
        self.gateways = self._gauge("boond_feed_gateways", "Gateways that pull")
        self.listened = self._gauge("boond_feed_entities", "Entities that some gateway listens to")
        self.ring_frames = self._gauge("boond_feed_ring_frames", "Turns in the ring of the feed")
        self.ring_bytes = self._gauge("boond_feed_ring_bytes", "Size of the ring of the feed")
        self.published = self._count("boond_feed_published_total", "Turns put into the ring of the feed")
        self.pulls = self._count(
            "boond_feed_pulls_total", "Pulls of gateways: known, or unknown (they send their set again)", "outcome"
        )

    def begin_laps(self) -> None:
        """An iteration begins to carry out its items."""
        if self.on:
            self._lap_from = perf_counter()

    def lap(self, kind: str) -> None:
        """One more item was carried out."""
        if self.on:
            now = perf_counter()
            self.turn_seconds.observe(now - self._lap_from, kind)
            self._lap_from = now

    def committed(self, writes: Sequence[TurnWrite], seconds: float) -> None:
        """A commit has ended, well or not."""
        if self.on:
            self.commit_seconds.observe(seconds)
            self.commit_turns.observe(len(writes))
            self.commit_bytes.observe(sum(len(write.row.body) for write in writes))

    def answered(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """A call has all its outcomes."""
        if not self.on:
            return
        self.call_seconds.observe(seconds)
        for status, times in Counter([outcome.status for outcome in outcomes]).items():
            self.outcomes.inc(status, by=times)
        for outcome in outcomes:
            if outcome.status == "refused" and outcome.problem is not None:
                self.refusals.inc(outcome.problem.code)


class LaneMeasures(Measures):
    """The way of one process to the shards: what it sends, and what waits."""

    def __init__(self, *, on: bool = True) -> None:
        super().__init__(on=on)
        self.waiting = self._gauge(
            "boond_lane_waiting_commands", "Commands and queries of this process without an outcome yet", "shard"
        )
        self.in_flight = self._gauge("boond_lane_calls_in_flight", "Calls that a shard has not answered yet", "shard")
        self.call_seconds = self._histogram(
            "boond_lane_call_seconds", "Time of one call to a shard, lost ones included", SECONDS
        )
        self.call_commands = self._histogram("boond_lane_call_commands", "Commands and queries of one call", COUNTS)
        self.lost = self._count("boond_lane_lost_calls_total", "Calls without an answer: lost or too late")
        self.retries = self._count("boond_lane_retries_total", "Commands and queries sent again")
        self.unavailable = self._count(
            "boond_lane_unavailable_total", "Commands and queries given up: no outcome in time, or no room to wait"
        )
