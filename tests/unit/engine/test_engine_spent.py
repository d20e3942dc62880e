"""What is provisional is counted at once and marked, until it is settled or released."""

from datetime import UTC, date, datetime

from engine.commands import RecordTransaction, SetBudget
from engine.planning import spent
from engine.planning.spending import Spending
from engine.queries import GetBudgets
from tests.support.person import BEHAVIOUR, Person

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def shown(person: Person) -> dict[str, tuple[int, int]]:
    items = person.ask(GetBudgets(), AT)["items"]
    return {item["category"]: (item["spent"], item["provisional"]) for item in items}


def test_an_authorisation_counts_at_once_and_is_marked_until_it_settles() -> None:
    person = Person(at=AT)
    person.do(SetBudget(category="food", limit=10_000), AT)
    person.do(SetBudget(category="overall", limit=50_000), AT)
    person.do(RecordTransaction(external_id="a", source="upi", amount=300, currency="INR", category="food"), AT)
    spent.count(person.state, TODAY, "food", 2_000, 2_000)
    assert shown(person) == {"food": (2_300, 2_000), "overall": (2_300, 2_000)}
    spent.count(person.state, TODAY, "food", 400, -2_000)
    assert shown(person) == {"food": (2_700, 0), "overall": (2_700, 0)}
    assert person.state.spending.held == {}


def test_a_new_budget_knows_what_is_provisional_and_a_snapshot_keeps_it() -> None:
    person = Person(at=AT)
    spent.count(person.state, TODAY, "food", 2_000, 2_000)
    person.do(SetBudget(category="food", limit=10_000), AT)
    assert shown(person) == {"food": (2_000, 2_000)}
    person.state = BEHAVIOUR.decode_state(BEHAVIOUR.encode_state(person.state))
    assert shown(person) == {"food": (2_000, 2_000)}


def test_what_is_provisional_is_forgotten_with_its_day() -> None:
    spending = Spending()
    spending.add(date(2026, 1, 5), "food", 100, 100)
    spending.add(date(2026, 11, 20), "food", 100)
    assert spending.held == {}
    spending.add(date(2026, 1, 5), "food", 100, 100)
    assert spending.held == {}
