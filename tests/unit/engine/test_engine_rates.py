"""Exchange rates: exact conversion, the last on or before a day, through a pivot; nothing lost to and fro."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import money
from engine.accounts.rate_book import DatedRate, RateBook
from engine.accounts.rates import converted, shown
from engine.commands import OpenUser, RecordTransaction
from engine.outside import Rate
from tests.support.person import Person, replayed

DAY = date(2026, 11, 10)
_currencies = st.sampled_from(["INR", "USD", "JPY", "KWD", "CLF", "IDR"])
_rates = st.builds(Rate, st.just(DAY), st.integers(1, 10**15), st.integers(1, 10**9))


@given(st.integers(0, 2**53), _currencies, _currencies, _rates)
def test_a_conversion_is_the_nearest_minor_unit_and_ties_are_even(
    amount: int, currency: str, home: str, rate: Rate
) -> None:
    exact = Fraction(amount * rate.numerator, rate.denominator)
    exact *= Fraction(money.minor_per_major(home), money.minor_per_major(currency))
    assert converted(amount, currency, home, rate) == round(exact)


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [(842575, 10_000, "84.2575"), (1, 3, "0.3333333333"), (5, 1, "5"), (2, 3, "0.6666666667"), (100, 1, "100")],
)
def test_a_rate_is_shown_as_a_decimal(numerator: int, denominator: int, text: str) -> None:
    assert shown(Rate(DAY, numerator, denominator)) == text


def book(*rates: tuple[str, str, int, int]) -> RateBook:
    told = RateBook()
    told.put(DatedRate(base, quote, DAY + timedelta(days), value, 100) for base, quote, days, value in rates)
    return told


def test_the_last_on_or_before_a_day_whatever_the_order_they_were_told_in() -> None:
    told = book(("USD", "INR", 2, 8500), ("USD", "INR", -3, 8300), ("USD", "INR", 0, 8400))
    found = [told.rate("USD", "INR", DAY + timedelta(days)) for days in (-4, -3, -1, 0, 1, 2, 99)]
    assert [rate and rate.numerator for rate in found] == [None, 8300, 8300, 8400, 8400, 8500, 8500]


def test_a_rate_told_again_replaces_the_first() -> None:
    told = book(("USD", "INR", 0, 8400), ("USD", "INR", 0, 8401))
    assert told.rate("USD", "INR", DAY) == Rate(DAY, 8401, 100)


def test_an_inverse_serves_where_it_is_newer_than_the_pairs_own() -> None:
    told = book(("USD", "INR", -5, 8400), ("INR", "USD", -2, 2))
    assert told.rate("USD", "INR", DAY) == Rate(DAY - timedelta(2), 100, 2)
    assert told.rate("USD", "INR", DAY - timedelta(3)) == Rate(DAY - timedelta(5), 8400, 100)


def test_through_a_pivot_a_rate_is_as_old_as_the_older_and_stays_small() -> None:
    told = book(("EUR", "USD", 0, 110), ("EUR", "INR", -1, 9350))
    assert told.rate("USD", "INR", DAY) == Rate(DAY - timedelta(1), 85, 1)
    assert told.rate("USD", "JPY", DAY) is None


def test_a_replay_asks_for_no_rate() -> None:
    at = datetime(2026, 11, 10, 9, tzinfo=UTC)
    person = Person(OpenUser(auto_saving="on"), at)
    person.outside.book.put([DatedRate("USD", "INR", DAY, 842_575, 10_000)])
    spend = RecordTransaction(external_id="E1", source="upi", amount=1_099, currency="USD")
    person.do(spend, at)
    person.outside.book.put([DatedRate("USD", "INR", DAY, 1, 1)])
    assert person.state.ledger.balance("wallet", "INR") == -92_599
    assert replayed(person.bodies) == person.state
