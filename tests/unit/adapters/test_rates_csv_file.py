"""Rates from a file: both shapes, and every doubt refused with its line and column."""

from datetime import date
from pathlib import Path

import pytest

from adapters.rates.csv_file import FILE_BYTES_MAX, CsvFile, WrongFile
from engine.accounts.rate_book import DatedRate

WIDE = "Date,USD,JPY,CYP,INR,\n2026-11-10,1.0956,155.93,N/A,93.1375,\n2026-11-09,1.09,,0.58,N/A,\n"
"""The shape of the ECB's eurofxref-hist.csv; the figures are made up."""


def written(folder: Path, text: str) -> CsvFile:
    path = folder / "rates.csv"
    path.write_text(text, encoding="utf-8")
    return CsvFile(path)


def test_the_long_shape_in_any_order_of_columns(tmp_path: Path) -> None:
    source = written(tmp_path, "day,base,quote,rate\n2026-11-10,USD,INR,84.2575\n\n2026-11-10,USD,JPY,150\n")
    assert source.rates() == [
        DatedRate("USD", "INR", date(2026, 11, 10), 842_575, 10_000),
        DatedRate("USD", "JPY", date(2026, 11, 10), 150, 1),
    ]


def test_the_wide_shape_of_the_ecb_counts_in_euro_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    source = written(tmp_path, WIDE)
    assert source.rates() == [
        DatedRate("EUR", "USD", date(2026, 11, 10), 10_956, 10_000),
        DatedRate("EUR", "JPY", date(2026, 11, 10), 15_593, 100),
        DatedRate("EUR", "INR", date(2026, 11, 10), 931_375, 10_000),
        DatedRate("EUR", "USD", date(2026, 11, 9), 109, 100),
    ]
    assert source.left_out == ["CYP"]


def test_the_ecbs_daily_file_has_spaces_and_a_written_month(tmp_path: Path) -> None:
    source = written(tmp_path, "Date, USD, INR, \n10 November 2026, 1.0956, 93.1375, \n")
    assert [(rate.quote, rate.day) for rate in source.rates()] == [
        ("USD", date(2026, 11, 10)),
        ("INR", date(2026, 11, 10)),
    ]


LONG = "base,quote,day,rate\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: expected the columns"),
        ("a,b\n", "line 1, column 1: expected the columns"),
        (LONG + "USD,INR,2026-11-10,84.25\nUSD,INR,2026-11-11,-1\n", "line 3, column rate: '-1' is no rate"),
        (LONG + "USD,INR,2026-11-10,1e5\n", "line 2, column rate: '1e5'"),
        (LONG + "USD,INR,2026-11-10,٣\n", "line 2, column rate"),
        (LONG + "USD,INR,2026-11-10,NaN\n", "line 2, column rate"),
        (LONG + "USD,INR,2026-11-10,0.000\n", "line 2, column rate: a rate of 0"),
        (LONG + "USD,INR,2026-11-10,0.1234567891\n", "line 2, column rate"),
        (LONG + "USD,INR,10/11/2026,84\n", "line 2, column day: '10/11/2026' is no date"),
        (LONG + "USD,INR,2026-02-30,84\n", "line 2, column day"),
        (LONG + "XBT,INR,2026-11-10,84\n", "line 2, column base: 'XBT' is not"),
        (LONG + "USD,USD,2026-11-10,1\n", "line 2, column quote: USD is the base too"),
        (LONG + "USD,INR,2026-11-10\n", "line 2, column 1: has 3 cells; the header has 4"),
        (LONG + "USD,INR,2026-11-10,84\nUSD,INR,2026-11-10,85\n", "line 3, column rate: another rate of USD in INR"),
        ("Date,USD,usd\n", "line 1, column 3: 'usd' is no currency code"),
        ("Date,USD\n2026-11-10,1.1,9\n", "line 2, column 1: has 3 cells"),
        ("Date,USD\n2026-11-10,-\n", "line 2, column USD: '-' is no rate"),
        (LONG + 'USD,INR,2026-11-10,"84\n', "is no CSV"),
    ],
)
def test_a_doubt_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WrongFile) as refused:
        written(tmp_path, text).rates()
    assert message in str(refused.value)


def test_the_same_rate_twice_is_one(tmp_path: Path) -> None:
    source = written(tmp_path, LONG + "USD,INR,2026-11-10,84.0\nUSD,INR,2026-11-10,84\n")
    assert len(source.rates()) == 1


def test_what_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(b"base,quote,day,rate\n\xff\xfe")
    with pytest.raises(WrongFile, match="not UTF-8"):
        CsvFile(path).rates()
    with path.open("wb") as large:
        large.truncate(FILE_BYTES_MAX + 1)
    with pytest.raises(WrongFile, match="at most"):
        CsvFile(path).rates()
