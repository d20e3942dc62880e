"""Narrations as banks write them, and what is left of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_ml.categoriser import RuleCategoriser
from online_ml.narration import merchant_name, normalise

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "online_ml" / "narrations.json").read_text("utf-8")
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["text"][:40])
def test_golden_narration(vector: dict[str, Any]) -> None:
    said = RuleCategoriser().predict(description=vector["text"])
    assert (normalise(vector["text"]), said.merchant_name, said.category) == (
        vector["key"],
        vector["name"],
        vector["category"],
    )


@pytest.mark.parametrize("reference", ["202349330193", "XXXXXXXXXXXX", "536799XXXXXX7446", "UTIB0000123"])
def test_a_reference_changes_neither_key_nor_name(reference: str) -> None:
    plain, marked = "POS/GREEN GROCER", f"POS/{reference}/GREEN GROCER/{reference}"
    assert normalise(plain) == normalise(marked)
    assert merchant_name(plain) == merchant_name(marked) == "Green Grocer"


def test_a_name_that_is_not_shouted_keeps_its_case() -> None:
    assert merchant_name("UPI/DR/412345678901/eBay Motors/HDFC") == "eBay Motors"


def test_a_city_alone_is_a_name() -> None:
    assert merchant_name("LONDON") == "London"


@given(st.text(max_size=200))
def test_any_text_gives_a_key_that_is_its_own_key(text: str) -> None:
    key = normalise(text)
    assert key == key.strip()
    assert "  " not in key


@given(st.text(max_size=200))
def test_any_text_gives_a_bounded_name_or_none(text: str) -> None:
    name = merchant_name(text)
    assert name is None or 0 < len(name) <= 60
