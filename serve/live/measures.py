"""What a gateway counts. One instance a gateway, `gateway.measures`; whoever changes something counts it there."""

from typing_extensions import override

from actors.meters import COUNTS, SECONDS, Measures, Series

_TURNS = (0.0, *COUNTS)


class LiveMeasures(Measures):
    """Sockets, pushes and feeds of one gateway. Labels take few, fixed values: never a user, a text or an address."""

    def __init__(self, *, on: bool = True) -> None:
        super().__init__(on=on)
        self.pushed = {"feed": 0, "history": 0}
        """Turns handed over, by source. Like `bytes_out` counted for every push, so without a call; only while `on`."""
        self.bytes_out = 0
        self.sockets = self._gauge("boond_live_sockets", "Sockets open now, by where their conversation is", "state")
        self.users = self._gauge("boond_live_users", "Users that somebody listens to now")
        self.opened = self._count("boond_live_sockets_opened_total", "Sockets taken in")
        self.closed = self._count(
            "boond_live_sockets_closed_total", "Sockets ended, by the close code sent; `client`: they left", "code"
        )
        self.turned_away = self._count(
            "boond_live_turned_away_total",
            "Sockets refused before they could say anything, or because of others: "
            "moving, gateway_full, anteroom_full, address_full, line_full, user_full, origin, subprotocol",
            "reason",
        )
        self.entered = self._count(
            "boond_live_entered_total",
            "Sockets that reached ready: snapshot (no position given), resumed, or reset (the position is unknown)",
            "outcome",
        )
        self.recovered = self._count(
            "boond_live_recovered_total", "Positions asked for again on an open socket: resumed or reset", "outcome"
        )
        self.enter_seconds = self._histogram(
            "boond_live_enter_seconds", "Time from a valid auth to ready, journal and shard included", SECONDS
        )
        self.turns = self._count(
            "boond_live_turns_pushed_total", "Turns queued for a socket, from the feed or from history", "source"
        )
        self.bytes_queued = self._count("boond_live_queued_bytes_total", "Payload of all frames sent or queued, UTF-8")
        self.push_lag = self._histogram(
            "boond_live_push_lag_seconds",
            "Time from the decision of a turn to its sockets; for all of an answer of a shard that of its oldest",
            SECONDS,
        )
        self.queue_frames = self._gauge(
            "boond_live_queue_frames_max", "Longest queue of frames on one socket since the last report"
        )
        self.laggards = self._count(
            "boond_live_laggards_total", "Sockets closed because they did not keep up: overflow or stall", "reason"
        )
        self.frames_received = self._count("boond_live_frames_received_total", "Frames that came in")
        self.frames_refused = self._count(
            "boond_live_frames_refused_total", "Inbound frames that closed their socket with 4008"
        )
        self.expenses = self._count(
            "boond_live_expenses_total",
            "Expenses sent over sockets: receipt, refused, too_many, unavailable or failed",
            "outcome",
        )
        self.expense_seconds = self._histogram(
            "boond_live_expense_seconds", "Time from an expense on a socket to its answer", SECONDS
        )
        self.unacknowledged = self._histogram(
            "boond_live_ack_lag_turns", "Turns sent but not acknowledged when an ack comes", _TURNS
        )
        self.ack_seconds = self._histogram(
            "boond_live_ack_seconds", "Time from a turn's place in the queue of its socket to its ack", SECONDS
        )
        self.pulls = self._count(
            "boond_live_pulls_total",
            "Answers of shards to the gateway's long-poll: known, unknown (the set is sent again), unavailable, failed",
            "outcome",
        )
        self.frames_pulled = self._count("boond_live_frames_pulled_total", "Turns that came from the feeds")

    @override
    def series(self) -> list[Series]:
        self.bytes_queued.reach(self.bytes_out)
        for source, turns in self.pushed.items():
            self.turns.reach(turns, source)
        return super().series()
