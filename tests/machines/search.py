"""Search for a story that breaks a rule, for as long as you like: `python -m tests.machines.search --examples 5000`."""

import argparse

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.engine.test_world_machine import World

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Search for a story that breaks a rule.")
    parser.add_argument("--examples", type=int, default=5_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    run_state_machine_as_test(
        seed(given.seed)(World),
        settings=settings(
            max_examples=given.examples,
            stateful_step_count=given.steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
