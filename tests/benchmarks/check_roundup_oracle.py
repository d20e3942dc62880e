"""Hold the engine against a bank's own round-ups: `python -m tests.benchmarks.check_roundup_oracle STATEMENT.csv`.

The statement is not part of the project (its licence is not stated, and it is one person's account): give its path.
Columns: date, type, description, debit, in the order of the statement. The bank rounded card payments (type DEB) to
whole pounds and took the sum as a line `SAVE THE CHANGE` on a later working day; an exact multiple gave nothing. So
each such line is held against what the engine saved on the lines since the one before it: what was bought on a
weekend is posted on Monday and lies between the same two lines. A fee on a foreign payment is a fee, and what is
followed by a fee for cash was cash: both save nothing. Nothing else is left out or adjusted. From 2019 on the bank
did it differently: see `--until`.

`--oracle` names the file of those lines alone (date, bank_roundup), to see that none of them is missing here.
"""

import argparse
import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from engine.commands import Kind, OpenUser, RecordTransaction, RoundingPatch, UpdateProfile
from tests.support.person import Person

BANKS_LINE = "SAVE THE CHANGE"
FEES = ("NON-STG TRANS FEE", "NON-GBP TRANS FEE", "NON-STG PURCH FEE", "NON-GBP PURCH FEE")
CASH_FEES = ("NON-STG CASH FEE", "NON-GBP CASH FEE", "FOREIGN CASH FEE")


class Line(Struct, frozen=True):
    """A debit of the statement, in pence."""

    day: date
    type: str
    text: str
    amount: int


class Compared(Struct, frozen=True):
    """A line of the bank's round-ups beside what the engine saved on the payments before it, in pence."""

    day: date
    bank: int
    engine: int


def debits(path: Path, until: date) -> list[Line]:
    """Read the debits before `until`, in statement order."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["debit"] and date.fromisoformat(row["date"]) < until]
    return [Line(date.fromisoformat(r["date"]), r["type"], r["description"], _pence(r["debit"])) for r in rows]


def kinds(lines: list[Line]) -> Iterator[tuple[Line, Kind]]:
    """Say what each debit is: the fees of a foreign payment follow it, that for cash last."""
    for number, line in enumerate(lines):
        if line.type != "DEB":
            yield line, "cash" if line.type == "CPT" else "transfer"
        elif line.text in FEES + CASH_FEES:
            yield line, "fee"
        else:
            following = (after.text for after in lines[number + 1 :] if after.text not in FEES)
            yield line, "cash" if next(following, "") in CASH_FEES else "purchase"


def compare(path: Path, until: date) -> list[Compared]:
    """Give every debit to the engine, and compare each of the bank's lines with what was saved since the one before."""
    lines = debits(path, until)
    person = Person(OpenUser(currency="GBP", time_zone="Europe/London", auto_saving="on"), _noon(lines[0].day))
    person.do(UpdateProfile(rounding=RoundingPatch(unit=100)), _noon(lines[0].day))
    compared, saved = [], 0
    for line, kind in kinds(lines):
        if line.text == BANKS_LINE:
            compared.append(Compared(line.day, line.amount, saved))
            saved = 0
        else:
            before = person.state.jars[person.state.default_jar_id].saved
            person.do(_payment(line, kind, person.seq), _noon(line.day))
            saved += person.state.jars[person.state.default_jar_id].saved - before
    return compared


def lines_of(oracle: Path) -> list[tuple[date, int]]:
    """Return the bank's round-ups as the oracle lists them."""
    with oracle.open(newline="", encoding="utf-8") as file:
        return [(date.fromisoformat(row["date"]), _pence(row["bank_roundup"])) for row in csv.DictReader(file)]


def _payment(line: Line, kind: Kind, number: int) -> RecordTransaction:
    return RecordTransaction(
        external_id=str(number),
        source="statement",
        amount=line.amount,
        currency="GBP",
        kind=kind,
        merchant=line.text,
        category=None if kind == "fee" else "other",
    )


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def _pence(text: str) -> int:
    return int((Decimal(text) * 100).to_integral_exact())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Hold the engine against a bank's own round-ups.")
    parser.add_argument("statement", type=Path)
    parser.add_argument("--until", type=date.fromisoformat, default=date(2019, 1, 1))
    parser.add_argument("--at-least", type=float, default=98.5, help="percent of lines that must agree to the penny")
    parser.add_argument("--oracle", type=Path)
    given = parser.parse_args()
    found = compare(given.statement, given.until)
    if given.oracle is not None and lines_of(given.oracle) != [(one.day, one.bank) for one in found]:
        raise SystemExit("the oracle lists other lines than the statement")
    misses = [one for one in found if one.bank != one.engine]
    for miss in misses:
        print(f"{miss.day}: the bank took {miss.bank}, the engine saved {miss.engine}")
    percent = 100 * (len(found) - len(misses)) / len(found)
    print(f"{len(found) - len(misses)} of {len(found)} lines agree to the penny: {percent:.2f} %")
    raise SystemExit(0 if percent >= given.at_least else f"less than {given.at_least} %")
