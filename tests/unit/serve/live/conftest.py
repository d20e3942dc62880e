"""Time that moves when told, and actors in memory on it: what every gateway here stands on."""

import pytest

from tests.support.manual_clock import ManualClock
from tests.support.memory_runtime import MemoryRuntime


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def runtime(clock: ManualClock) -> MemoryRuntime:
    return MemoryRuntime(clock)
