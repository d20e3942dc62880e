"""The names, held against Prometheus' conventions, and the page that lists them."""

import re
from pathlib import Path

import pytest

from actors.meters import Family, Kind
from serve.made_tables import NoMarkers
from serve.observe import page
from serve.observe.catalogue import AREAS, FAMILIES, PROCESS_LABEL

PAGE = Path(__file__).parents[4] / "docs" / "operations.md"
UNITS = ("_seconds", "_bytes", "_info", "_fds", "_total")
COUNTED = {
    "sockets", "users", "frames", "turns", "commands", "calls", "requests", "residents", "messages", "entities",
    "gateways", "connections", "pending", "term", "working", "up", "flight", "max",
}  # fmt: skip
EVERY = [family for families in AREAS.values() for family in families]


def test_no_name_is_used_twice() -> None:
    assert len(EVERY) == len(FAMILIES) > 60


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_a_name_says_whose_it_is_and_in_what_unit(family: Family) -> None:
    assert re.fullmatch(r"boond_[a-z][a-z0-9_]*", family.name)
    assert family.name.endswith(UNITS) or family.name.rpartition("_")[2] in COUNTED
    assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
    assert family.help[0].isupper() or family.help[0] == "1"
    assert not family.help.endswith(".")
    assert "\n" not in family.help


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_labels_are_plain_and_none_is_taken_by_the_exposition(family: Family) -> None:
    assert not {PROCESS_LABEL, "le", "quantile", "instance", "job"} & set(family.labels)
    assert all(re.fullmatch(r"[a-z_]+", label) for label in family.labels)
    assert (family.kind is Kind.HISTOGRAM) == bool(family.bounds)
    assert list(family.bounds) == sorted(set(family.bounds))


def test_the_page_shows_what_the_code_counts() -> None:
    assert page.renewed(PAGE.read_text(encoding="utf-8")) == PAGE.read_text(encoding="utf-8"), (
        "out of date: python -m serve.observe.page docs/operations.md"
    )


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(NoMarkers, match="expected a line"):
        page.renewed("# Operations\n")
