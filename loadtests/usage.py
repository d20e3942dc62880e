"""Processor time and memory of every process of a run, from the outside."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping

import psutil
from msgspec import Struct

_EVERY_S = 1.0
_LOOK_AGAIN_EVERY = 5


class Use(Struct, frozen=True):
    """What one part used: share of one core (1.0 is a whole one), and its largest resident size."""

    part: str
    processes: int
    cores: float
    rss_mb: float


class _Seen:
    __slots__ = ("began_s", "last_s", "part", "process", "rss")

    def __init__(self, part: str, process: psutil.Process, cpu_s: float) -> None:
        self.part, self.process = part, process
        self.began_s = self.last_s = cpu_s
        self.rss = 0


class Meter:
    """Looks once a second, in a thread; a process that ends or is born meanwhile counts for its time."""

    def __init__(self, find: Callable[[], Mapping[int, tuple[str, psutil.Process]]]) -> None:
        self._find = find
        self._seen: dict[int, _Seen] = {}
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._began = self._ended = 0.0

    def start(self) -> None:
        """Begin to count."""
        self._look_for(first=True)
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> list[Use]:
        """Stop and return what each part used, the busiest first."""
        self._halt.set()
        self._thread.join()
        self._sample()
        seconds = time.monotonic() - self._began
        by_part: dict[str, list[_Seen]] = {}
        for seen in self._seen.values():
            by_part.setdefault(seen.part, []).append(seen)
        uses = [
            Use(
                part,
                len(all_seen),
                round(sum(seen.last_s - seen.began_s for seen in all_seen) / seconds, 3),
                round(sum(seen.rss for seen in all_seen) / 1e6, 1),
            )
            for part, all_seen in by_part.items()
        ]
        return sorted(uses, key=lambda use: -use.cores)

    def _run(self) -> None:
        rounds = 0
        while not self._halt.wait(_EVERY_S):
            rounds += 1
            if rounds % _LOOK_AGAIN_EVERY == 0:
                self._look_for(first=False)
            self._sample()

    def _look_for(self, *, first: bool) -> None:
        for pid, (part, process) in self._find().items():
            if pid not in self._seen:
                with contextlib.suppress(psutil.Error):
                    self._seen[pid] = _Seen(part, process, _cpu_s(process) if first else 0.0)

    def _sample(self) -> None:
        for seen in self._seen.values():
            with contextlib.suppress(psutil.Error):
                seen.last_s = max(seen.last_s, _cpu_s(seen.process))
                seen.rss = max(seen.rss, seen.process.memory_info().rss)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
