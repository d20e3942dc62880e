"""The machine over the whole command set: `tests/machines/`, a file a feature."""

from hypothesis import HealthCheck, settings

from tests.machines.accidents import Accidents
from tests.machines.payments import Payments
from tests.machines.second_factor import SecondFactor


class World(Payments, SecondFactor, Accidents):
    """Every rule set at once."""


World.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestWorld = World.TestCase
