"""Tables of a page that are made from the code: what stands between two markers is replaced, the rest is a person's."""

import sys
from collections.abc import Callable
from pathlib import Path


class NoMarkers(ValueError):
    """A page without the two markers, in this order: there is no place for the table."""


def renewed(page: str, begin: str, end: str, table: str) -> str:
    """Return a page with `table` between its markers. Raises NoMarkers."""
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise NoMarkers(f"expected a line {begin} and later a line {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def rewrite(renew: Callable[[str], str]) -> None:
    """Renew the file that the command line names."""
    file = Path(sys.argv[1])
    file.write_text(renew(file.read_text(encoding="utf-8")), encoding="utf-8")
