"""Limits of a shard. Everything that can grow has one."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """How much a shard takes on. Times in seconds."""

    queue_commands_max: int = 20_000
    """Waiting commands; beyond it a call is answered `unavailable` at once."""
    queue_bytes_max: int = 32 * 1024 * 1024
    iteration_max: int = 256
    """Commands of one iteration: one read of facts."""
    batch_max: int = 512
    """Turns of a commit; a worker that is ahead waits for the commit in flight."""
    recoveries_max: int = 64
    """Entities loaded by one query."""
    snapshot_every: int = 200
    """Turns between two snapshots of an entity."""
    snapshots_waiting_max: int = 2_000
    entities_max: int = 20_000
    lease_s: float = 0.25
    """How long a confirmed term lets memory answer reads; a successor answers nothing for as long. 0: ask each time."""
    idle_s: float = 300.0
    sweep_every_s: float = 15.0
    back_off_s_min: float = 0.05
    back_off_s_max: float = 5.0
    ring_frames_max: int = 20_000
    ring_bytes_max: int = 32 * 1024 * 1024
    pull_bytes_max: int = 64 * 1024
    """A reply beyond 100 KB would go through Ray's object store."""
    pull_pace_s: float = 0.004
    """Least time between two answers to one gateway, while turns come that fast."""
    back_fill_turns_max: int = 200
    """Turns a user that the feed back-fills; a client further behind reads history."""
    back_fill_users_max: int = 500
    gateway_forgotten_s: float = 60.0
    clock_poll_s: float = 0.5
    """How often a shard of a sandbox looks whether its clock was put forward."""
    timers_at_once_max: int = 200
    """Due timers carried out together; the next are read when all of them are answered."""
    timers_poll_s: float = 5.0
    """How long the shard goes without looking for due timers; it wakes earlier for one it knows of."""
    outbox_lanes_max: int = 100
    """Entities whose messages of one channel are delivered at the same time."""
    outbox_lane_max: int = 50
    """Messages of one entity that are read together."""
    outbox_poll_s: float = 5.0
    outbox_delivery_s_max: float = 20.0
    """A delivery that takes longer counts as failed and is tried again."""
    outbox_park_s_min: float = 0.2
    outbox_park_s_max: float = 300.0
    measure: bool = True
    """Whether the shard counts what it does, for Prometheus."""
    timer_park_s_min: float = 1.0
    timer_park_s_max: float = 6 * 3600.0
    """A timer whose command breaks its turn is tried again after a pause that doubles between these."""
