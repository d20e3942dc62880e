"""Token buckets: what a client may send now, and how far it has gone beyond."""


class Allowance:
    """A token bucket that fills at `per_s` up to `burst`, and may be overdrawn by as much again."""

    __slots__ = ("_at", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: int, at: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._at = float(burst), at

    def take(self, at: float, amount: int = 1) -> float:
        """Use some; returns what is left, negative when overdrawn."""
        self._left = min(self._burst, self._left + (at - self._at) * self._per_s) - amount
        self._at = at
        return self._left

    @property
    def flooded(self) -> bool:
        """Whether the overdraft is used up too."""
        return self._left < -self._burst
