"""The comparison with a bank's own round-ups, on a statement made up in the shape of a real one."""

from datetime import date
from pathlib import Path

import pytest

from tests.benchmarks.check_roundup_oracle import Compared, compare, lines_of

STATEMENT = """seq,date,type,description,debit,credit,balance
1,2016-07-14,BGC,WAGES,,858.01,1000
2,2016-07-15,DEB,GROCER,316.51,,
3,2016-07-15,DEB,EXACTLY,40.00,,
4,2016-07-18,DEB,SATURDAY SHOP,6.39,,
5,2016-07-18,BP,SAVE THE CHANGE,{first},,
6,2016-07-18,DEB,HOTEL ABROAD,62.51,,
7,2016-07-18,DEB,NON-STG TRANS FEE,1.86,,
8,2016-07-18,DEB,NON-STG PURCH FEE,1.00,,
9,2016-07-18,DEB,BANK ABROAD,118.56,,
10,2016-07-18,DEB,NON-STG TRANS FEE,3.54,,
11,2016-07-18,DEB,NON-STG CASH FEE,2.00,,
12,2016-07-18,DEB,CHANGE ABROAD,92.25,,
13,2016-07-18,DEB,FOREIGN CASH FEE,2.87,,
14,2016-07-18,CPT,CASH MACHINE,70.50,,
15,2016-07-18,DD,INSURANCE,37.12,,
16,2016-07-19,BP,SAVE THE CHANGE,0.49,,
17,2019-01-02,DEB,LATER YEARS,1.23,,
18,2019-01-03,BP,SAVE THE CHANGE,9.99,,
"""


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "statement.csv"
    path.write_text(STATEMENT.format(first="1.10"))
    return path


def test_a_line_of_the_bank_is_what_the_engine_saved_since_the_one_before(statement: Path) -> None:
    """In statement order; fees and cash abroad save nothing, nor does an exact multiple."""
    found = compare(statement, date(2019, 1, 1))
    assert found == [Compared(date(2016, 7, 18), 110, 110), Compared(date(2016, 7, 19), 49, 49)]


def test_a_line_that_differs_shows(tmp_path: Path) -> None:
    path = tmp_path / "statement.csv"
    path.write_text(STATEMENT.format(first="1.11"))
    assert compare(path, date(2019, 1, 1))[0] == Compared(date(2016, 7, 18), 111, 110)


def test_the_oracle_lists_the_banks_lines_alone(tmp_path: Path) -> None:
    path = tmp_path / "oracle.csv"
    path.write_text("date,bank_roundup,match\n2016-07-18,1.10,1\n2016-07-19,0.49,1\n")
    assert lines_of(path) == [(date(2016, 7, 18), 110), (date(2016, 7, 19), 49)]
