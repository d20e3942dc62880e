"""One tree of categories: the product's taxonomy is whole, a person's own hang below it, and nothing counts twice."""

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.behaviour import Refused
from engine.commands import CreateCategory, EditTransaction, RecordTransaction, SetBudget
from engine.kinds import CATEGORY_OF_KIND, UNCATEGORISED
from engine.planning import taxonomy
from engine.planning.categories import OWN_MAX, Categories
from engine.planning.queries_planning import GetCategories
from online_ml.taxonomy import CATEGORIES as PREDICTED
from tests.support.person import Person

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def test_every_category_that_models_and_kinds_name_is_in_the_taxonomy_and_is_no_group() -> None:
    groups = {one.parent for one in taxonomy.CATEGORIES.values()} - {None}
    named = set(PREDICTED) | set(CATEGORY_OF_KIND.values()) | {UNCATEGORISED}
    assert named == set(taxonomy.CATEGORIES) - groups


def test_every_category_has_a_name_in_each_locale_that_no_other_has() -> None:
    for number, locale in enumerate(taxonomy.LOCALES):
        names = [one.names[number] for one in taxonomy.CATEGORIES.values()]
        assert all(names), locale
        doubled = {name for name in names if names.count(name) > 1}
        assert not doubled, locale


def test_a_group_holds_its_children_and_itself() -> None:
    assert taxonomy.MEMBERS["food_and_drink"] == {"food_and_drink", "food", "groceries"}
    assert taxonomy.MEMBERS["food"] == {"food"}


def spend(person: Person, at: datetime, name: str, amount: int, category: str = "chai") -> str:
    report = RecordTransaction(
        external_id=name, source="upi", amount=amount, currency="INR", category=category, occurred_at=at
    )
    turn = person.do(report, AT)
    transaction_id: str = turn.events[0].transaction_id
    return transaction_id


def test_what_was_spent_before_the_days_that_are_kept_stays_out_of_the_parent_for_good() -> None:
    """An old transaction that is moved away later takes nothing from a parent that never counted it."""
    person = Person(at=AT - timedelta(days=200))
    person.do(SetBudget(category="food", limit=100_000, rollover="all"), AT - timedelta(days=190))
    old = spend(person, AT - timedelta(days=100), "old", 7_000)
    spend(person, AT - timedelta(days=1), "new", 500)
    before = person.state.budgets["food:monthly"].terms(date(2026, 11, 1))
    person.do(CreateCategory(name="Chai", slug="chai", parent="food"), AT)
    budget = person.state.budgets["food:monthly"]
    assert budget.spent_in(date(2026, 11, 1)) == 500
    assert budget.terms(date(2026, 11, 1)) == before
    person.do(EditTransaction(transaction_id=old, category="fuel"), AT)
    assert budget.terms(date(2026, 11, 1)) == before


def test_a_slug_never_used_counts_in_its_parent_however_late_its_events_are() -> None:
    person = Person(at=AT - timedelta(days=200))
    person.do(SetBudget(category="food", limit=100_000, rollover="all"), AT - timedelta(days=190))
    spend(person, AT, "today", 100, "fuel")
    person.do(CreateCategory(name="Chai", slug="chai", parent="food"), AT)
    spend(person, AT - timedelta(days=100), "late", 7_000)
    assert person.state.budgets["food:monthly"].spent_in(date(2026, 8, 1)) == 7_000


def test_own_categories_are_bounded_and_the_refusal_says_the_way_out() -> None:
    person = Person(at=AT)
    for number in range(OWN_MAX):
        person.do(CreateCategory(name=f"Number {number}"), AT)
    with pytest.raises(Refused, match="at most 100 categories of their own; rename one"):
        person.do(CreateCategory(name="One more"), AT)
    assert list(person.state.categories.own)[:2] == ["number_0", "number_1"]


def test_lists_page_by_slug_and_speak_the_language_that_is_asked_for() -> None:
    person = Person(at=AT)
    person.do(CreateCategory(name="Chai", names={"hi": "चाय"}), AT)
    page = person.ask(GetCategories(limit=2, locale="hi"), AT)
    assert [(one["slug"], one["name"], one["own"]) for one in page["items"]] == [
        ("chai", "चाय", True),
        ("food_and_drink", "खाना-पीना", False),
    ]
    following = person.ask(GetCategories(limit=500, locale="ta", cursor=page["next_cursor"]), AT)
    assert following["items"][0]["name"] == "Getting around"
    assert following["next_cursor"] is None
    assert len(following["items"]) == len(taxonomy.CATEGORIES) - 1


def test_a_category_without_own_ones_costs_no_walk() -> None:
    assert Categories().lineage("food", 1) is taxonomy.LINEAGE["food"]
    assert Categories().lineage("anything", 1) == ("anything",)
