"""The rule categoriser: who is asked first, how sure it says it is, and that it always answers."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Kind
from engine.kinds import CATEGORY_OF_KIND, UNCATEGORISED
from online_ml.categoriser import Categoriser, Precision, RuleCategoriser
from online_ml.mcc import BROAD_CODES
from online_ml.taxonomy import CATEGORIES

RULES: Categoriser = RuleCategoriser()


@pytest.mark.parametrize(("kind", "category"), sorted(CATEGORY_OF_KIND.items()))
def test_a_kind_that_is_a_category_comes_before_any_text(kind: str, category: str) -> None:
    said = RULES.predict(merchant="Zomato", mcc="5812", kind=kind)
    assert (said.category, said.by, said.merchant_name) == (category, "kind", "Zomato")


def test_a_brand_beats_the_mcc() -> None:
    said = RULES.predict(merchant="IRCTC", mcc="4112")
    assert (said.category, said.by) == ("travel", "rule")


def test_the_mcc_beats_words() -> None:
    said = RULES.predict(merchant="Garden of Tea Books", mcc="5942")
    assert (said.category, said.by) == ("shopping", "mcc")


@pytest.mark.parametrize("code", sorted(BROAD_CODES))
def test_a_broad_mcc_gives_way_to_a_word(code: str) -> None:
    said = RULES.predict(merchant="Lakeside Pharmacy", mcc=code)
    assert (said.category, said.by) == ("health", "rule")


def test_the_description_speaks_when_the_merchant_says_nothing() -> None:
    said = RULES.predict(merchant="Nexus Da", description="UPI/DR/221356312527/house rent april")
    assert (said.category, said.by, said.merchant_name) == ("rent", "text", "Nexus Da")


def test_an_unlisted_mcc_says_nothing() -> None:
    assert RULES.predict(mcc="0000").category == UNCATEGORISED


def test_a_hint_speaks_only_when_nothing_better_does() -> None:
    assert RULES.predict(merchant="Blue Club").category == "entertainment"
    assert RULES.predict(merchant="Blue Club Pizza").category == "food"


def test_below_the_threshold_it_is_uncategorised() -> None:
    careful = RuleCategoriser(threshold=0.5)
    assert careful.predict(merchant="Blue Club").category == UNCATEGORISED
    assert careful.predict(merchant="Blue Pizza").category == "food"


@given(st.from_regex(r"\A[0-9]{6,14}\Z"), st.from_regex(r"\A[0-9]{6,14}\Z"))
def test_a_merchants_next_payment_reads_as_the_last(one: str, other: str) -> None:
    fresh = RuleCategoriser()
    readings = {
        rules.predict(description=f"UPI/DR/{reference}/LAKESIDE PHARMACY/HDFC/q{reference}@ybl/UPI")
        for rules in (RULES, fresh)
        for reference in (one, other)
    }
    assert {(said.category, said.merchant_name) for said in readings} == {("health", "Lakeside Pharmacy")}


def test_nothing_known_is_uncategorised_without_confidence() -> None:
    said = RULES.predict()
    assert (said.category, said.confidence, said.by, said.merchant_name) == (UNCATEGORISED, 0.0, "none", None)


@given(
    merchant=st.none() | st.text(max_size=120),
    description=st.none() | st.text(max_size=200),
    mcc=st.none() | st.from_regex(r"\A[0-9]{4}\Z"),
    kind=st.sampled_from(get_args(Kind)),
)
def test_it_always_answers_with_a_known_category_and_twice_the_same(
    merchant: str | None, description: str | None, mcc: str | None, kind: str
) -> None:
    said = RULES.predict(merchant=merchant, description=description, mcc=mcc, kind=kind)
    again = RuleCategoriser().predict(merchant=merchant, description=description, mcc=mcc, kind=kind)
    assert said == again
    assert said.category in CATEGORIES
    assert said.confidence == 0.0 or said.confidence in Precision()
