"""An event loop whose time is virtual: when nothing is ready it jumps to the next timer, and never waits."""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from typing_extensions import override


class Stuck(Exception):
    """Nothing is ready and nothing is scheduled: whoever still waits waits for ever."""


class _NeverWaits(selectors.BaseSelector):
    """Where a loop would wait for its timers, time moves on instead. Nothing is read from outside."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    @override
    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    @override
    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("the simulation waits for something that nothing will bring")
        self.now += max(0.0, timeout)
        return []

    @override
    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """The same program on the same seed takes the same steps, in as much virtual time as it likes."""

    def __init__(self) -> None:
        self._clock = _NeverWaits()
        super().__init__(self._clock)

    @override
    def time(self) -> float:
        return self._clock.now
