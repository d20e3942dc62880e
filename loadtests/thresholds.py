"""What a run must reach, in one table. A miss ends `make load` with exit code 1 and is named.

Counts are absolute. Times are of a quiet machine with two cores that also runs the generator, and are multiplied by
`SLOW` (`--slow 2`) on a slower or busy one; never the counts.
"""

import math
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, structs
from typing_extensions import override

from loadtests.scenarios import Scenario


class Bound(StrEnum):
    """On which side of the limit a value must be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


class Threshold(Struct, frozen=True):
    """One line of the table. `is_time`: scaled by `--slow`."""

    metric: str
    bound: Bound
    limit: float
    meaning: str
    is_time: bool = False


def _none(metric: str, meaning: str) -> Threshold:
    return Threshold(metric, Bound.AT_MOST, 0, meaning)


def _ms(metric: str, limit: float, meaning: str) -> Threshold:
    return Threshold(metric, Bound.AT_MOST, limit, meaning, is_time=True)


PROMISES = (
    _none("lost", "acknowledged events that are in no turn"),
    _none("misplaced", "acknowledged events whose turn is another than the receipt said"),
    _none("doubled", "events in more than one turn"),
    _none("not_pushed", "turns that a socket which was there never got"),
    _none("pushed_otherwise", "turns pushed with another payment than GET /turns has"),
    _none("holes", "users whose turns are not dense"),
    _none("out_of_order", "turns pushed before one that comes first"),
    _none("resets", "sockets told to forget and begin anew"),
    _none("protocol_errors", "frames that the protocol does not allow"),
    _none("fatal_closes", "sockets closed with a code that forbids another try"),
    _none("untyped_upgrades", "upgrades answered with another status than 101, 429 or 503"),
    _none("feed_missing", "turns that GET /feed never gave"),
    _none("feed_disordered", "turns that GET /feed gave too early"),
    _none("duplicates_missed", "requests sent again whose answer was not the first one's, marked duplicate"),
    _none("untyped_errors", "answers that are neither 2xx nor a 503 or 429 problem with Retry-After"),
    _none("gave_up", "requests not answered within 30 s of retries"),
    Threshold("acknowledged", Bound.AT_LEAST, 1, "events acknowledged: a run without any proves nothing"),
    Threshold("measured_pushes", Bound.AT_LEAST, 1, "pushes measured: the same"),
    Threshold("phones_heard_share", Bound.AT_LEAST, 1.0, "phones that told what they had seen when they left"),
    Threshold("sockets_open_share", Bound.AT_LEAST, 1.0, "sockets that could be opened"),
)
"""What holds in every scenario, whatever is killed."""

STEADY = (
    _ms("push_p50_ms", 15, "from the moment an event is due to the arrival of its turn"),
    _ms("push_p99_ms", 100, "the same"),
    _ms("rest_p99_ms", 100, "POST /transactions, from the moment it is due to its answer"),
    _ms("batch_p99_ms", 400, "POST /transactions/batch, the same"),
    _none("retryable_errors", "503 and 429 answers"),
    _none("line_errors", "refused or broken connections of REST clients"),
    Threshold("sent_share", Bound.AT_LEAST, 0.99, "events sent of those that were due: the generator kept up"),
    _ms("generator_late_p99_ms", 50, "how late the generator itself sent: above it, no time here means anything"),
)

_UNDER_TROUBLE = tuple(t for t in STEADY if t.metric in {"sent_share", "generator_late_p99_ms"})

BY_SCENARIO: Mapping[str, tuple[Threshold, ...]] = {
    "steady": STEADY,
    "soak": STEADY,
    "burst": (
        *(t for t in STEADY if t.metric not in {"push_p50_ms", "push_p99_ms", "rest_p99_ms", "batch_p99_ms"}),
        _ms("push_p50_ms", 30, "from the moment an event is due to the arrival of its turn"),
        _ms("push_p99_ms", 1_000, "the same; a burst is a queue, and the queue is measured"),
        _ms("rest_p99_ms", 1_000, "POST /transactions, from the moment it is due to its answer"),
    ),
    "reconnect-storm": (
        *_UNDER_TROUBLE,
        _none("retryable_errors", "503 and 429 answers to REST clients while sockets come back"),
        _none("line_errors", "refused or broken connections of REST clients"),
        _ms("storm_s", 15, "seconds from dropping the sockets until the last is ready again"),
        Threshold("storm_returned_share", Bound.AT_LEAST, 1.0, "sockets of the storm that came back"),
        _ms("rest_p99_ms", 2_000, "POST /transactions, from the moment it is due to its answer"),
    ),
    "failover": (
        *_UNDER_TROUBLE,
        _none("line_errors", "refused or broken connections of REST clients: what is killed is behind the front door"),
        _ms("back_p99_ms", 30_000, "from losing a socket to ready on the next"),
        Threshold("kills", Bound.AT_LEAST, 2, "processes killed: a live replica and a shard"),
    ),
}


class Miss(Struct, frozen=True):
    """A threshold that was not reached; NaN is a metric that nobody measured."""

    threshold: Threshold
    value: float

    @override
    def __str__(self) -> str:
        t = self.threshold
        return f"MISSED {t.metric}: {self.value:g}, expected {t.bound} {t.limit:g} ({t.meaning})"


def table(scenario: Scenario, slow: float = 1.0, limits: Mapping[str, float] | None = None) -> tuple[Threshold, ...]:
    """Return a scenario's thresholds, times scaled by `slow`; `limits` replace single ones and are not scaled.

    What the scenario sends none of (batches, singles) has no threshold.

    Raises `ValueError` on a limit for a metric that has no threshold here.
    """
    absent = (
        {"batch_p99_ms"} if scenario.single_share >= 1.0 else {"rest_p99_ms"} if scenario.single_share <= 0.0 else ()
    )
    lines = [line for line in (*PROMISES, *BY_SCENARIO[scenario.name]) if line.metric not in absent]
    unknown = set(limits or {}) - {line.metric for line in lines}
    if unknown:
        raise ValueError(f"no threshold {', '.join(sorted(unknown))} in {scenario.name}: {[t.metric for t in lines]}")
    scaled = (structs.replace(line, limit=line.limit * slow) if line.is_time else line for line in lines)
    return tuple(structs.replace(line, limit=(limits or {}).get(line.metric, line.limit)) for line in scaled)


def misses(thresholds: tuple[Threshold, ...], metrics: Mapping[str, float]) -> list[Miss]:
    """Return every threshold that `metrics` miss; one that is not among them is missed too."""
    missed = []
    for threshold in thresholds:
        value = metrics.get(threshold.metric, math.nan)
        is_met = value <= threshold.limit if threshold.bound is Bound.AT_MOST else value >= threshold.limit
        if not is_met:
            missed.append(Miss(threshold, value))
    return missed
