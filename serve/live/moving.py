"""The order in which a gateway's sockets are sent away: at a pace, in random order, so that they do not return at once.

A client that hears 4200 reconnects now and resumes; what bounds the storm is how fast we let go, not how they behave.
"""

import random
from collections.abc import Collection
from typing import Protocol

from serve.live.ports import Clock

PER_S = 200.0
"""Sockets let go a second, at most: well below the resumes that one gateway takes up in a second."""
STEP_S = 0.05
"""Sockets due within one step go together."""


class Leaver(Protocol):
    """A socket that can be asked to leave."""

    def leave(self) -> None:
        """Close with 4200 once what is under way is answered."""


def spread_s(sockets: int, longest_s: float) -> float:
    """Return over how many seconds so many sockets are let go: at `PER_S`, and never longer than `longest_s`."""
    return min(longest_s, sockets / PER_S)


async def let_go(sockets: Collection[Leaver], over_s: float, clock: Clock) -> None:
    """Ask every socket to leave, evenly over `over_s`, in random order; returns when all are asked."""
    began, order = clock.monotonic(), list(sockets)
    random.shuffle(order)
    for place, socket in enumerate(order):
        early_s = began + over_s * place / len(order) - clock.monotonic()
        if early_s > STEP_S:
            await clock.sleep(early_s)
        socket.leave()
