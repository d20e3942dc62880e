"""What every `evolve` of a feature looks like."""

from collections.abc import Callable
from typing import Any

from engine.state import UserState

Evolve = Callable[[UserState, Any], None]
