"""What may go wrong in a world, and how often: one struct, so that a failure can be replayed with less of it."""

from msgspec import Struct


class Faults(Struct, frozen=True, kw_only=True):
    """Chances are of one event each (a call, a statement); `every_s` are mean pauses. Times are virtual seconds."""

    latency_s: float = 0.02
    """Mean of a hop; each is drawn anew, so messages overtake each other."""
    request_lost: float = 0.02
    reply_lost: float = 0.02
    delivered_twice: float = 0.03
    """A call reaches its shard again, up to seconds later."""
    commit_slow: float = 0.02
    commit_slow_s: float = 3.0
    connection_lost: float = 0.02
    """A statement's answer never comes: it was not carried out, was, or will be later, unless its backend is ended."""
    backend_survives: float = 0.3
    """A take-over fails to end the backend of the one before it: the term alone must hold."""
    nemesis_every_s: float = 3.0
    """How often something happens to a process."""
    kill: float = 4.0
    pause: float = 3.0
    twin: float = 3.0
    """A second incarnation is started while the first lives; calls reach either. Weights, as the next ones."""
    journal_down: float = 1.0
    clock_jump: float = 1.0
    gateway_kill: float = 2.0
    pause_s: float = 5.0
    journal_down_s: float = 4.0
    clock_jump_s: float = 90.0


CALM = Faults(
    request_lost=0, reply_lost=0, delivered_twice=0, commit_slow=0, connection_lost=0, backend_survives=0,
    nemesis_every_s=float("inf"),
)  # fmt: skip
"""Nothing goes wrong: what a world becomes at its end, so that all that was begun can come to rest."""
