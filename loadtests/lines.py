"""How good the line of a held socket is. Misbehaviour is the holder's own, seeded, and needs no relay.

The shapes are those that lost other gateways' messages (see the issues named in README.md): clean departures, resets,
readers that fall behind, and lines that go silent without a word.
"""

import random
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Line(StrEnum):
    """What befalls a socket now and then."""

    GOOD = "good"
    GOES = "goes"
    """Closes politely (1000), is away, comes back and resumes: a phone that is put away."""
    RESETS = "resets"
    """TCP is reset in the middle of whatever goes on; back at once."""
    LAGS = "lags"
    """Stops reading for a while: the server may close it with 4108."""
    SILENT = "silent"
    """A half-open line: nothing is read or answered any more, a new socket is opened beside it, the old reset later."""


class Weather(Struct, frozen=True):
    """Shares of lines that are not good (their sum at most 1), and how often and for how long they misbehave."""

    goes: float = 0.0
    resets: float = 0.0
    lags: float = 0.0
    silent: float = 0.0
    every_s: float = 20.0
    """Mean time between two misbehaviours of one line (exponential)."""
    away_s: tuple[float, float] = (0.5, 8.0)
    lag_s: tuple[float, float] = (2.0, 15.0)
    half_open_s: float = 10.0
    """How long the old socket of a silent line stays."""

    def lines(self, count: int, rng: random.Random) -> list[Line]:
        """Return a line for each of `count` sockets."""
        bad = [(Line.GOES, self.goes), (Line.RESETS, self.resets), (Line.LAGS, self.lags), (Line.SILENT, self.silent)]
        good = 1.0 - sum(share for _, share in bad)
        if good < -1e-9 or any(share < 0 for _, share in bad):
            raise ValueError(f"shares of bad lines {bad} are negative or sum to more than 1: lower them")
        kinds: Sequence[Line] = [Line.GOOD, *(line for line, _ in bad)]
        return rng.choices(kinds, [max(0.0, good), *(share for _, share in bad)], k=count)
