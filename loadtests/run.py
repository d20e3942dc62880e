"""What the journeys of one generator process share: the plan, the notebook, when it began and whether it ends."""

import random
import time
from functools import cache

from loadtests import plan
from loadtests.outcomes import Notebook
from loadtests.skew import Zipf

BEGUN = "begun"
_LEAD_NS = 1_000_000_000
"""From the test's start to its first event, so that every journey has begun."""


class Run:
    """One generator's run."""

    def __init__(self, planned: plan.Plan) -> None:
        self.plan = planned
        self.scenario = planned.scenario
        self.begin_ns = time.monotonic_ns() + _LEAD_NS
        self.measure_from_ns = self.begin_ns + int(self.scenario.warmup_s * 1e9)
        self.seconds = self.scenario.warmup_s + self.scenario.duration_s
        self.notebook = Notebook(planned.file(""), self.measure_from_ns)
        self.users = planned.users()
        self.is_stopping = False
        self._phones = iter(self.users[self.scenario.users :])

    def begin(self) -> None:
        """Say from when on the run is measured, in CLOCK_MONOTONIC."""
        waiting = self.plan.file(f"{BEGUN}.new")
        waiting.write_text(str(self.measure_from_ns), encoding="utf-8")
        waiting.rename(self.plan.file(BEGUN))

    def rng(self, name: str) -> random.Random:
        """Return randomness of its own for a part of the run."""
        return random.Random(f"{self.plan.seed}:{name}")

    def zipf(self, name: str) -> Zipf:
        """Return who is busy: the same users for every sender."""
        drawn = Zipf(len(self.users), self.scenario.zipf, self.rng("ranks"))
        drawn.reseed(self.rng(name))
        return drawn

    def next_phone(self) -> tuple[str, str]:
        """Return the user and token of the next phone."""
        return next(self._phones)


@cache
def run() -> Run:
    """Return this process's run; it begins with the first call."""
    return Run(plan.load())
