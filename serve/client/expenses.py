"""Expenses on their way: each is sent again, on whatever socket is open, until the server has answered it."""

from typing import Any

from msgspec import Struct

from serve.client import frames
from serve.client.limits import Limits

BUSY = frozenset({429, 503})
"""Answers that decide nothing: the server had no room or no shard."""


class Waiting(Struct):
    """An expense without an answer; `due` is when to send it again, None while it is under way or no line is open."""

    text: str
    due: float | None = None


class Expenses:
    """The expenses without an answer, by id. An `external_id` makes a second sending harmless."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[str, Waiting] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def due(self) -> float:
        """When the next one is to be sent again; infinity for none."""
        return min((one.due for one in self._waiting.values() if one.due is not None), default=float("inf"))

    def add(self, data: dict[str, Any]) -> tuple[str, str]:
        """Return id and frame of a new expense. Raises `ValueError` for one that could not be repeated or sent."""
        if not isinstance(data.get("external_id"), str) or not data["external_id"]:
            raise ValueError("external_id: expected a text of your own; it makes sending again harmless")
        self._count += 1
        id_ = f"c{self._count}"
        text = frames.expense(id_, data)
        if len(text.encode()) > self._limits.expense_bytes_max:
            raise ValueError(f"an expense has at most {self._limits.expense_bytes_max} bytes, this one {len(text)}")
        self._waiting[id_] = Waiting(text)
        return id_, text

    def forget(self, id_: str) -> bool:
        """Wait for this one no longer; False when nobody did."""
        return self._waiting.pop(id_, None) is not None

    def busy(self, id_: str, problem: frames.Problem, now: float) -> bool:
        """Whether the answer decides nothing, so that the expense goes out again after a pause."""
        one = self._waiting.get(id_)
        if one is None or problem.get("status") not in BUSY:
            return False
        asked = problem.get("retry_after_s")
        pause_s = float(asked) if isinstance(asked, int | float) else self._limits.expense_retry_s
        one.due = now + min(pause_s, self._limits.backoff_max_s)
        return True

    def all(self) -> list[str]:
        """Return every frame, for a new line."""
        for one in self._waiting.values():
            one.due = None
        return [one.text for one in self._waiting.values()]

    def take_due(self, now: float) -> list[str]:
        """Return the frames whose pause is over."""
        over = [one for one in self._waiting.values() if one.due is not None and one.due <= now]
        for one in over:
            one.due = None
        return [one.text for one in over]
