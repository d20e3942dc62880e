"""What the processes of an instance say of themselves: shard 0 keeps the last word of each for whoever scrapes.

It is a convenience, not a register: lost with the process that hosts shard 0, and whole again after the next reports.
"""

import logging
from collections.abc import Callable, Sequence
from time import monotonic

from msgspec import Struct, msgpack

from actors.meters import Series

_log = logging.getLogger(__name__)

PROCESSES_MAX = 256
"""Processes that are kept; beyond, a new one is refused until one of them is forgotten."""
REPORT_BYTES_MAX = 512 * 1024
"""A report that is larger is refused: 128 MiB at most are kept."""
FORGOTTEN_S = 30.0
"""A process that has not reported for so long is forgotten."""

_ENCODER = msgpack.Encoder()
_SERIES = msgpack.Decoder(list[Series])


class Report(Struct, frozen=True, array_like=True):
    """The series of one process, encoded, and how many seconds ago it sent them."""

    process: str
    age_s: float
    blob: bytes

    def series(self) -> list[Series]:
        """Return the series. Raises `msgspec.DecodeError`."""
        return _SERIES.decode(self.blob)


_REPORTS = msgpack.Decoder(list[Report])


def encode_series(series: Sequence[Series]) -> bytes:
    """Return series as bytes."""
    return _ENCODER.encode(series)


def decode_reports(blob: bytes) -> list[Report]:
    """Return what `Reports.collected` made. Raises `msgspec.DecodeError`."""
    return _REPORTS.decode(blob)


class Reports:
    """The last report of each process, for as long as it is fresh."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        """`now` tells seconds that never jump."""
        self._now = now
        self._held: dict[str, tuple[float, bytes]] = {}

    def take(self, process: str, blob: bytes) -> bool:
        """Keep a report in the place of the process' last one; False when there is no room for it."""
        self._forget()
        if len(blob) > REPORT_BYTES_MAX or (process not in self._held and len(self._held) >= PROCESSES_MAX):
            _log.warning("a report of %s (%d bytes) is refused beside %d others", process, len(blob), len(self._held))
            return False
        self._held[process] = (self._now(), blob)
        return True

    def collected(self, process: str, series: Sequence[Series]) -> bytes:
        """Return, encoded, what this process says of itself now, and the last word of every other."""
        self._forget()
        now = self._now()
        others = [Report(name, now - at, blob) for name, (at, blob) in self._held.items()]
        return _ENCODER.encode([Report(process, 0.0, encode_series(series)), *others])

    def _forget(self) -> None:
        limit = self._now() - FORGOTTEN_S
        for process in [name for name, (at, _) in self._held.items() if at < limit]:
            del self._held[process]
