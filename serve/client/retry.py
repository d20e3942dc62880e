"""When to try again after a line was lost: by close code, with full jitter.

Source of the jitter: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from enum import Enum
from random import Random

from serve.client.limits import Limits

UNAUTHENTICATED, FORBIDDEN = 4001, 4003
_POLICY, _TOO_BIG, _RESTART = 1008, 1009, 1012
_DOUBLINGS_MAX = 16


class Verdict(Enum):
    """What a close code means for the next try."""

    NEVER = "never"
    BACK_OFF = "back off"
    MOVE = "now, jittered"


def judge(code: int | None) -> Verdict:
    """Judge a close code; None is a line that ended without one."""
    if code in (_POLICY, _TOO_BIG) or (code is not None and 4000 <= code < 4100):
        return Verdict.NEVER
    if code == _RESTART or (code is not None and 4200 <= code < 4300):
        return Verdict.MOVE
    return Verdict.BACK_OFF


class Pace:
    """The wait before each try, from how many failed in a row."""

    def __init__(self, limits: Limits, chance: Random) -> None:
        self._limits, self._chance = limits, chance
        self._failures = 0

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0

    def wait_s(self, verdict: Verdict, at_least_s: float = 0.0) -> float:
        """Return the next wait; counts as a failure. `at_least_s` is what the server asked for."""
        bound_s = min(self._limits.backoff_max_s, self._limits.backoff_min_s * 2 ** min(self._failures, _DOUBLINGS_MAX))
        if verdict is Verdict.MOVE:
            bound_s = max(bound_s if self._failures else 0.0, self._limits.move_jitter_s)
        self._failures += 1
        return at_least_s + self._chance.uniform(0, bound_s)
