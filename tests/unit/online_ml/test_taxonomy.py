"""Tables: every category is a slug, every code and keyword points at a category, every keyword can be found."""

import re
from collections import Counter
from typing import get_args

import msgspec

from engine.commands import Kind, Slug
from engine.kinds import CATEGORY_OF_KIND
from online_ml.lexicon import Lexicon, read_keywords
from online_ml.mcc import BROAD_CODES, category_of, merchant_categories
from online_ml.narration import normalise
from online_ml.taxonomy import CATEGORIES, COARSE


def test_every_category_is_a_slug_with_a_meaning() -> None:
    for slug, meaning in CATEGORIES.items():
        assert msgspec.convert(slug, Slug) == slug
        assert meaning


def test_every_mapping_ends_in_the_taxonomy() -> None:
    ends = {*COARSE.values(), *CATEGORY_OF_KIND.values(), *(row.category for row in merchant_categories().values())}
    assert ends <= CATEGORIES.keys()


def test_kinds_are_those_of_the_wire() -> None:
    assert CATEGORY_OF_KIND.keys() <= set(get_args(Kind))


def test_every_mcc_is_four_digits_and_known_codes_mean_what_they_say() -> None:
    assert len(merchant_categories()) == 981
    assert all(re.fullmatch("[0-9]{4}", code) for code in merchant_categories())
    assert merchant_categories().keys() >= BROAD_CODES
    assert [category_of(code) for code in ("5812", "5411", "5541", "4511", "6011")] == [
        "food",
        "groceries",
        "fuel",
        "travel",
        "cash",
    ]


def test_no_keyword_is_listed_twice() -> None:
    assert [k for k, n in Counter(k.keyword for k in read_keywords()).items() if n > 1] == []


def test_every_keyword_survives_normalisation_and_finds_its_category() -> None:
    rules = Lexicon(read_keywords())
    lost = []
    for keyword in read_keywords():
        text = keyword.keyword.removesuffix("*")
        found = rules.find(normalise(text))
        if normalise(text) != text or found is None or found.category != keyword.category:
            lost.append((keyword.keyword, normalise(text), found and found.category))
    assert lost == []


def test_a_prefix_keyword_matches_the_beginning_of_a_word_only() -> None:
    rules = Lexicon(read_keywords())
    found = rules.find("corner pharmacia")
    assert found is not None
    assert found.category == "health"
    assert rules.find("corner ypharmac") is None
