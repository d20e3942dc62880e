"""The machine over the whole command set: `tests/machines/`, a file a feature."""

from random import Random
from typing import get_args

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings

from engine.commands import Command
from tests.machines.accidents import Accidents
from tests.machines.anything import Anything, Seen
from tests.machines.base import START
from tests.machines.payments import Payments
from tests.machines.savings import Savings
from tests.machines.second_factor import SecondFactor
from tests.machines.together import Together
from tests.support.person import BEHAVIOUR


@pytest.mark.parametrize("kind", get_args(Command))
def test_any_command_can_be_made_from_its_declaration(kind: type) -> None:
    for seed in range(100):
        made = Anything(Random(seed), Seen(), START).of(kind)
        assert BEHAVIOUR.decode_command(msgspec.msgpack.encode(made)) == made


class World(Payments, Savings, Together, SecondFactor, Accidents):
    """Every rule set at once."""


World.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestWorld = World.TestCase
