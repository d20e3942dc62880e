"""Every limit of the live socket in one place; each name ends in its unit."""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """What a socket and a gateway may use before they are answered with a close code."""

    auth_s: float = 5.0
    """From `hello` to a valid `auth`; then 4001."""
    redeem_s: float = 5.0
    """How long a ticket may take to be checked; then 1011. Nothing is read from the socket meanwhile."""
    heartbeat_s: float = 25
    """From one heartbeat to the next; the first comes after a random part of it."""
    expiring_s: float = 60.0
    """How long before the token's end `expiring` is sent."""
    comment_s: float = 15.0
    """After how long without an event a stream of server-sent events carries a comment: below the 30 s and more after
    which proxies cut what is silent."""
    tick_s: float = 0.5
    """How often deadlines are looked at: the grain of every time-out here."""
    frame_bytes_max: int = 65_536
    """Largest inbound frame; then 4008."""
    frames_per_s: float = 50.0
    frames_burst: int = 200
    """Inbound frames at once. Past it an expense is answered 429; past twice of it the socket is closed with 4008."""
    bytes_per_s: float = 262_144.0
    bytes_burst: int = 524_288
    """Inbound bytes at once; past twice of it 4008. Counted as they arrive, before any frame is whole."""
    fragments_max: int = 64
    """Pieces one inbound message may come in; then 4008."""
    expenses_in_flight_max: int = 64
    acks_tracked_max: int = 64
    """Turns of one acknowledging socket whose time to the ack is measured; of later ones only the number is known."""
    queue_frames_max: int = 256
    queue_chars_max: int = 1_048_576
    """Outbound backlog of one socket; past either, 4108: the turns stay in the journal."""
    stall_s: float = 10.0
    """How long one send may take before the socket counts as too slow (4108)."""
    close_s: float = 2.0
    """How long a close frame may take before the socket is left to the server."""
    life_s: float = 21_600.0
    """The longest a socket stays, less up to a quarter by chance; then 4200. A front door that was replaced cuts after
    eight hours what it still holds: by then that is nothing."""
    linger_s: float = 12.0
    """How long after its end a socket may keep what its peer has not read, at most 64 KiB and one frame; then cut."""
    sockets_per_user_max: int = 5
    """Of one user on one gateway; then 4129 for the newest."""
    sockets_max: int = 10_000
    greeted_max: int = 3_000
    greeted_per_address_max: int = 200
    """Sockets that have not authenticated yet, here and from one address (not from this machine's own); then 4129."""
    entering_at_once_max: int = 64
    """Sockets of one shard's users that read head, history or overview at the same time; the others wait in line."""
    entering_line_max: int = 5_000
    """Sockets in all lines of a gateway; then 4129."""
    history_frames_max: int = 100
    """Turns read from the journal at once, a socket."""
    history_tries_max: int = 3
    """Empty answers below the known head before history counts as gone."""
    pull_wait_s: float = 10.0
    recheck_s: float = 40.0
    """How often every user is subscribed anew, which compares heads: the bound on a loss nobody noticed."""
    subscriptions_per_pull_max: int = 1_000
    """Users a shard is told of at once, those who came and those who went each."""
    departures_max: int = 10_000
    """Users who went while a shard could not be told; past it the shard is told who is here, and forgets the rest."""
    backoff_min_s: float = 0.1
    backoff_max_s: float = 2.0
