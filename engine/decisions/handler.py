"""What every `decide` of a feature looks like."""

from collections.abc import Callable
from typing import Any

from engine.behaviour import Context, Decision, Facts
from engine.state import UserState

Decide = Callable[[UserState, Any, Facts, Context], Decision]
"""State (left as it is), command, facts, context. Raises `Refused`."""
