"""Waiting for something to do: woken, at the time of what comes next, at most until the next poll."""

from asyncio import Event, timeout
from collections.abc import Callable
from datetime import datetime


async def rest(wake: Event, poll_s: float, at: datetime | None, now: Callable[[], datetime]) -> None:
    """Return when `wake` is set, when it is `at`, or after `poll_s` seconds, whichever is first."""
    pause = poll_s if at is None else min(poll_s, max(0.0, (at - now()).total_seconds()))
    try:
        async with timeout(pause):
            await wake.wait()
    except TimeoutError:
        pass
