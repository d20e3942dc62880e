"""Hold the round-up rule against a bank's own round-ups.

The file is not part of the project (its licence is not stated): give its path. Columns: date, bank_roundup, debits (of
the day before, in pounds, separated by spaces). The bank rounds to whole pounds; an exact multiple gives nothing.
"""

import csv
import sys
from decimal import Decimal
from pathlib import Path

from engine.roundups import base_of

WHOLE_POUND = 100


def _pence(text: str) -> int:
    return int((Decimal(text) * 100).to_integral_exact())


def check(path: Path) -> tuple[int, list[tuple[str, int, int]]]:
    """Return the number of days and those that differ: date, what the bank took, what the rule says (pence)."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    differing = []
    for row in rows:
        ours = sum(base_of(_pence(debit), WHOLE_POUND, "none") for debit in row["debits"].split())
        if ours != _pence(row["bank_roundup"]):
            differing.append((row["date"], _pence(row["bank_roundup"]), ours))
    return len(rows), differing


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the path of the oracle's CSV file")
    days, misses = check(Path(sys.argv[1]))
    for date, bank, ours in misses:
        print(f"{date}: the bank took {bank}, the rule says {ours}")
    print(f"{days - len(misses)} of {days} days agree to the penny")
