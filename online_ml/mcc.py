"""Merchant category codes (ISO 18245): what a code is called and which category it stands for."""

from functools import cache
from typing import NamedTuple

from online_ml.tables import read_table


class MerchantCategory(NamedTuple):
    """One row of `mcc.csv`."""

    code: str
    description: str
    category: str


BROAD_CODES = frozenset({"5399", "5499", "5999", "7299", "7399", "8999", "5310", "5311", "5331", "5969"})
"""Codes that say little of what was bought: miscellaneous shops and services that sell anything."""


@cache
def merchant_categories() -> dict[str, MerchantCategory]:
    """Return the table by code, read once from the package's `mcc.csv` (see `SOURCES.md`)."""
    return {row["code"]: MerchantCategory(**row) for row in read_table("mcc.csv")}


def category_of(code: str) -> str | None:
    """Return the category of a four-digit code, None for one that is not listed."""
    known = merchant_categories().get(code)
    return known.category if known else None
