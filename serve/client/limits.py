"""Every limit of the client in one place; each name ends in its unit."""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """How patient the client is, and how much it holds."""

    queue_turns_max: int = 256
    """Turns read and not taken yet. Past it the socket is not read, and the server may close it (4108): it resumes."""
    expenses_max: int = 32
    """Expenses without an answer; further ones wait. The server takes 64 a socket."""
    expense_bytes_max: int = 24_000
    """Largest expense. All that wait are sent at once on a new line, and the server closes a socket that brings more
    than 1 MiB at once (4008)."""
    inbound_bytes_max: int = 16_777_216
    """Largest frame taken in. An overview beyond it ends the stream with `BadFrame`."""
    connect_s: float = 10.0
    """TCP, TLS and the upgrade together."""
    auth_late_s: float = 4.0
    """A refusal of our auth so long after the line was open may be for lateness: it is tried again. The server waits
    5 s."""
    step_s: float = 30.0
    """Wait for `hello`, for `ready` and for a snapshot, each; a server whose shard is restarting takes seconds."""
    send_s: float = 10.0
    """How long one send may take before the line counts as dead."""
    silence_beats: float = 2.0
    silence_grace_s: float = 5.0
    """A line that was silent for so many heartbeats and the grace is dead."""
    beats_behind_max: int = 3
    """Heartbeats that say we miss turns, without one arriving, before another connection is tried."""
    stable_s: float = 5.0
    """A stream that lived so long, or brought a turn, starts the back-off anew."""
    backoff_min_s: float = 0.5
    backoff_max_s: float = 30.0
    """Full jitter: a random wait up to twice the last bound, from the first to the second."""
    move_jitter_s: float = 2.0
    """A server that moves is followed within this time, spread at random."""
    expense_retry_s: float = 1.0
    """Pause before an expense is sent again that the server was too busy for, unless it says how long."""
    renew_retry_s: float = 5.0
    """Pause before a fresh token is asked for again, when none came."""
    first_s: float = 30.0
    """How long the first stream may take to come about; then `Unreachable`."""
    give_up_s: float = float("inf")
    """The same after a line was lost. A phone sleeps for hours: the default never gives up."""
