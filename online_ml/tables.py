"""The tables that ship inside this package."""

import csv
from importlib.resources import files


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file of this package, by column name (sources and licences: `SOURCES.md`)."""
    return list(csv.DictReader((files("online_ml") / name).read_text(encoding="utf-8").splitlines()))
