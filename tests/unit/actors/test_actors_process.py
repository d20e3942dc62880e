import asyncio
import sys

import pytest

from actors.process import ProcessMeasures


def shown(measures: ProcessMeasures) -> dict[str, float]:
    return {series.family: series.values[0] for series in measures.series()}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells memory and descriptors this way")
def test_a_process_says_what_it_uses() -> None:
    found = shown(ProcessMeasures("1.2.3"))
    assert found["boond_process_resident_memory_bytes"] > 10 * 1024 * 1024
    assert 3 <= found["boond_process_open_fds"] <= found["boond_process_max_fds"]
    assert found["boond_process_cpu_seconds_total"] > 0
    [build] = [series for series in ProcessMeasures("1.2.3").series() if series.family == "boond_build_info"]
    assert build.labels == ("1.2.3",)


async def test_a_loop_that_is_held_up_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.process.LAG_EVERY_S", 0.001)
    measures = ProcessMeasures("")
    watching = asyncio.create_task(measures.watch())
    async with asyncio.timeout(20):
        while measures.loop_lag.count() < 2:
            await asyncio.sleep(0.001)
    watching.cancel()


def test_what_does_not_count_says_nothing() -> None:
    assert ProcessMeasures("", on=False).series() == []
