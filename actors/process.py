"""What a process uses, and how long its loop lets others wait."""

import os
import sys
from asyncio import get_running_loop, sleep
from contextlib import suppress
from pathlib import Path
from resource import RLIMIT_NOFILE, RUSAGE_SELF, getrlimit, getrusage
from time import time

from typing_extensions import override

from actors.meters import WIDE_SECONDS, Measures, Series

LAG_EVERY_S = 0.5
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc/self")


class ProcessMeasures(Measures):
    """Of the process it is made in. What only Linux tells is left out elsewhere."""

    def __init__(self, release: str, *, on: bool = True) -> None:
        """`release` is the version of boond that runs here."""
        super().__init__(on=on)
        self._build = self._gauge("boond_build_info", "1, with the release of boond that the process runs", "version")
        self._started = self._gauge("boond_process_start_time_seconds", "When counting began here, since the epoch")
        self._cpu = self._count("boond_process_cpu_seconds_total", "CPU time used, user and system")
        self._resident = self._gauge("boond_process_resident_memory_bytes", "Memory that is in RAM")
        self._descriptors = self._gauge("boond_process_open_fds", "Open file descriptors")
        self._descriptors_max = self._gauge("boond_process_max_fds", "File descriptors that the process may open")
        self.loop_lag = self._histogram(
            "boond_process_loop_lag_seconds", "How late the event loop woke who asked to be woken", WIDE_SECONDS
        )
        self._build.set(1, release)
        self._started.set(time())

    @override
    def series(self) -> list[Series]:
        if not self.on:
            return []
        usage = getrusage(RUSAGE_SELF)
        self._cpu.reach(usage.ru_utime + usage.ru_stime)
        self._descriptors_max.set(getrlimit(RLIMIT_NOFILE)[0])
        if sys.platform == "linux":
            with suppress(OSError):
                self._resident.set(int((_PROC / "statm").read_text("ascii").split()[1]) * _PAGE_BYTES)
                self._descriptors.set(len(os.listdir(_PROC / "fd")))
        return super().series()

    async def watch(self) -> None:
        """Look for ever how late the loop is."""
        loop = get_running_loop()
        while self.on:
            due = loop.time() + LAG_EVERY_S
            await sleep(LAG_EVERY_S)
            self.loop_lag.observe(max(0.0, loop.time() - due))
