"""Exchange rates from a CSV file, in one of two shapes; anything doubtful is refused with its line and column.

- long: `base,quote,day,rate`, a line a rate, the columns in any order.
- wide, as the European Central Bank publishes `eurofxref-hist.csv`: `Date,USD,JPY,…`, units of each currency for one
  euro, `N/A` or nothing where there is none. Columns of currencies that are no more are left out.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path

from engine import money
from engine.accounts.rate_book import DatedRate

FILE_BYTES_MAX = 64 * 2**20
_LONG = ("base", "quote", "day", "rate")
_RATE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?")
"""So that numerator and denominator fit 63 bits."""
_CODE = re.compile("[A-Z]{3}")
_NONE = ("", "N/A")


class WrongFile(ValueError):
    """The file is no table of rates; the message names the line and the column."""

    def __init__(self, line: int, column: str, problem: str) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")


class CsvFile:
    """The rates of a file. `left_out` are the wide columns of currencies that ISO 4217 lists no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.left_out: list[str] = []

    def rates(self) -> list[DatedRate]:
        """Return every rate of the file. Raises `WrongFile`, or `OSError` when it cannot be read."""
        size = self._path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise WrongFile(1, "1", f"the file has {size} bytes; at most {FILE_BYTES_MAX} are read")
        try:
            text = self._path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise WrongFile(1, "1", f"the file is not UTF-8: {error.reason} at byte {error.start}") from None
        return list(_once(self._parse(text)))

    def _parse(self, text: str) -> Iterator[tuple[int, str, DatedRate]]:
        rows = csv.reader(io.StringIO(text), strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
            if sorted(header) == sorted(_LONG):
                yield from _long(header, rows)
            elif header and header[0].lower() == "date":
                yield from self._wide(header, rows)
            else:
                raise WrongFile(1, "1", f"expected the columns {', '.join(_LONG)}, or Date and a column a currency")
        except csv.Error as error:
            raise WrongFile(rows.line_num, "1", f"is no CSV: {error}") from None

    def _wide(self, header: list[str], rows: Iterable[list[str]]) -> Iterator[tuple[int, str, DatedRate]]:
        while header and not header[-1]:
            header = header[:-1]
        for number, name in enumerate(header[1:], start=2):
            if not _CODE.fullmatch(name):
                raise WrongFile(1, str(number), f"{name!r} is no currency code")
        self.left_out = [name for name in header[1:] if not money.known(name)]
        for line, row in enumerate(rows, start=2):
            if not any(cell.strip() for cell in row):
                continue
            cells = [cell.strip() for cell in row]
            if len(cells) < len(header) or any(cells[len(header) :]):
                raise WrongFile(line, "1", f"has {len(cells)} cells; the header has {len(header)}")
            day = _day(cells[0], line, header[0])
            for name, cell in zip(header[1:], cells[1:], strict=False):
                if cell not in _NONE and money.known(name):
                    yield line, name, _rate("EUR", name, day, cell, line, name)


def _long(header: list[str], rows: Iterable[list[str]]) -> Iterator[tuple[int, str, DatedRate]]:
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise WrongFile(line, "1", f"has {len(row)} cells; the header has {len(header)}")
        cell = dict(zip(header, map(str.strip, row), strict=True))
        for column in ("base", "quote"):
            if not money.known(cell[column]):
                raise WrongFile(line, column, f"{cell[column]!r} is not an ISO 4217 currency code")
        if cell["base"] == cell["quote"]:
            raise WrongFile(line, "quote", f"{cell['quote']} is the base too")
        day = _day(cell["day"], line, "day")
        yield line, "rate", _rate(cell["base"], cell["quote"], day, cell["rate"], line, "rate")


def _day(text: str, line: int, column: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
        return datetime.strptime(text, "%d %B %Y").date()
    except ValueError:
        raise WrongFile(line, column, f"{text!r} is no date such as 2026-11-20") from None


def _rate(base: str, quote: str, day: date, text: str, line: int, column: str) -> DatedRate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise WrongFile(line, column, f"{text!r} is no rate: digits, at most 9 before the point and 9 behind it")
    whole, part = found[1], found[2] or ""
    numerator = int(whole + part)
    if not numerator:
        raise WrongFile(line, column, "a rate of 0 would make money worthless")
    return DatedRate(base, quote, day, numerator, 10 ** len(part))


def _once(found: Iterable[tuple[int, str, DatedRate]]) -> Iterator[DatedRate]:
    """Refuse a second rate of one pair and day, unless it says the same."""
    seen: dict[tuple[str, str, date], DatedRate] = {}
    for line, column, rate in found:
        first = seen.setdefault((rate.base, rate.quote, rate.day), rate)
        if first is rate:
            yield rate
        elif first.numerator * rate.denominator != rate.numerator * first.denominator:
            raise WrongFile(line, column, f"another rate of {rate.base} in {rate.quote} on {rate.day} came before")
