"""`python -m tests.simulation [--seeds 1-100] [--fresh N]`: runs worlds, prints each failing seed, exits 1 if any."""

import argparse
import random
import sys
import time

from tests.simulation.oracle import shards_of, violations
from tests.simulation.world import simulate


def seeds(text: str) -> list[int]:
    """Read `7`, `1-100` or `3,5,8-10`."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.simulation")
    parser.add_argument("--seeds", type=seeds, default=[], help="such as 7, 1-100 or 3,5,8-10")
    parser.add_argument("--fresh", type=int, default=0, help="so many seeds nobody has run yet")
    parser.add_argument("--verbose", action="store_true", help="print what happened in each world")
    chosen = parser.parse_args()
    wanted = chosen.seeds + [random.SystemRandom().randrange(2**40) for _ in range(chosen.fresh)]
    failed = 0
    began = time.monotonic()
    for seed in wanted:
        try:
            world = simulate(seed)
            wrong = violations(world)
        except Exception as error:
            wrong, world = [f"the world broke: {error!r}"], None
        if wrong:
            failed += 1
            print(f"seed {seed}: {len(wrong)} violations (again: make simulate SEEDS={seed})")
            for line in wrong[:10]:
                print(f"  {line}")
        if chosen.verbose and world is not None:
            print(f"seed {seed}: {world.history.summary()} {shards_of(world)} {world.loop.time():.0f} s")
            if wrong:
                print("\n".join(world.history.notes))
    print(f"{len(wanted)} worlds, {failed} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
