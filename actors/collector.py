"""Python's cycle collector, told what kind of process this is: a large heap that lives, and turns that leave no cycles.

By default it walks all young objects every 700 allocations, and the whole heap whenever a quarter of it is new: with
thousands of users in memory that was a third of a turn's cost. Reference counts free nearly everything here.
"""

import gc

THRESHOLDS = (50_000, 20, 100)
"""Objects that are new, before each generation's pass."""


def calm() -> None:
    """Set what is loaded by now aside for good, and look for cycles rarely. Call once, when a process has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
