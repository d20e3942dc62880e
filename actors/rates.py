"""Exchange rates in Postgres: what an import stores, and the copy in memory that a shard decides with.

A copy may be as old as `REFRESH_S`: a rate that was imported a moment ago is not used before. What a decision took of
it is in its event, so a replay never asks.
"""

import logging
from collections.abc import Iterable
from datetime import date
from threading import Event, Thread
from typing import Any

import psycopg
from msgspec import Struct

from engine.accounts.rate_book import DatedRate, RateBook
from engine.outside import Rate

_log = logging.getLogger(__name__)

REFRESH_S = 60.0
_LOCK = 0x7261746573
"""Key of the advisory lock ("rates"): imports come one after the other, so that versions commit in their order."""

_NEW = """
CREATE TEMPORARY TABLE told (base text, quote text, day date, numerator bigint, denominator bigint) ON COMMIT DROP
"""
_COPY = "COPY told (base, quote, day, numerator, denominator) FROM STDIN"
_STORE = """
INSERT INTO rates (base, quote, day, numerator, denominator, version)
SELECT base, quote, day, numerator, denominator, nextval('rates_version') FROM told
ON CONFLICT (base, quote, day) DO UPDATE
    SET numerator = excluded.numerator, denominator = excluded.denominator, version = excluded.version
    WHERE (rates.numerator, rates.denominator) IS DISTINCT FROM (excluded.numerator, excluded.denominator)
RETURNING xmax = 0
"""
_WAKE = "UPDATE timers SET wakes = least(wakes, now() + %s * interval '1 second') WHERE timer_id ^@ 'rate:'"
_SINCE = (
    "SELECT base, quote, day, numerator, denominator, version FROM rates WHERE version > %s ORDER BY base, quote, day"
)


class Stored(Struct, frozen=True):
    """What an import did: rates that are new, that replaced another value, that were there already."""

    added: int
    changed: int
    same: int


def store(url: str, rates: Iterable[DatedRate]) -> Stored:
    """Store rates, all of them or none; the same again changes nothing. Payments that wait for a rate ask soon after.

    Raises `psycopg.Error`.
    """
    told = list(rates)
    with psycopg.connect(url, application_name="boond-rates") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        cursor.execute(_NEW)
        with cursor.copy(_COPY) as copy:
            for one in told:
                copy.write_row((one.base, one.quote, one.day, one.numerator, one.denominator))
        written = [bool(is_new) for (is_new,) in cursor.execute(_STORE).fetchall()]
        if written:
            cursor.execute(_WAKE, (REFRESH_S + 5,))
    return Stored(sum(written), len(written) - sum(written), len(told) - len(written))


class RateTable:
    """A copy of the table that follows it. `rate` is asked by decisions: in memory, never blocking."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._book = RateBook()
        self._version = 0
        self._ended = Event()
        self._thread: Thread | None = None

    def rate(self, base: str, quote: str, day: date) -> Rate | None:
        """Return the last rate on or before a day; None when there is none."""
        return self._book.rate(base, quote, day)

    def refresh(self) -> int:
        """Read what was stored since the last time; return how many rates. Raises `psycopg.Error`."""
        with psycopg.connect(self._url, application_name="boond-rates", connect_timeout=5, autocommit=True) as reading:
            rows: list[Any] = reading.execute(_SINCE, (self._version,)).fetchall()
        self._book.put(DatedRate(*row[:5]) for row in rows)
        self._version = max((row[5] for row in rows), default=self._version)
        return len(rows)

    def follow(self) -> None:
        """Read the table now, and again every `REFRESH_S` until `close`; one that cannot be read is tried again."""
        self._read()
        self._thread = Thread(target=self._follow, name="rates", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(REFRESH_S):
            self._read()

    def _read(self) -> None:
        try:
            self.refresh()
        except psycopg.Error as error:
            _log.warning("exchange rates cannot be read now: %s", error)
