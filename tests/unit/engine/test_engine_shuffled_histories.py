"""Whole histories in any order against a plain recount: spent by day and category, budgets, and income."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import CreateAccount, RecordTransaction, SetBudget
from engine.queries import GetBudgets
from tests.support.person import Person, replayed

AT = datetime(2026, 11, 10, 9, tzinfo=UTC)
TODAY = date(2026, 11, 10)


@dataclass
class History:
    """Reports, and what they come to when they are all there."""

    reports: list[RecordTransaction] = field(default_factory=list)
    spent: Counter[tuple[date, str]] = field(default_factory=Counter)
    income: int = 0

    def tell(self, name: str, amount: int, status: Any = "settled", **fields: Any) -> None:
        fields = {"source": "card", "currency": "INR", "category": "food", "origin": "service:bank"} | fields
        self.reports.append(RecordTransaction(external_id=name, amount=amount, status=status, **fields))


@st.composite
def histories(draw: st.DrawFn) -> History:
    told = History()
    for number, sort in enumerate(draw(st.lists(st.sampled_from(SORTS), min_size=1, max_size=4))):
        when = AT - timedelta(days=draw(st.integers(0, 13)))
        sort(draw, told, f"N{number}", {"occurred_at": when})
    return told


def _amount(draw: st.DrawFn) -> int:
    return draw(st.integers(1, 30_000))


def _spent(told: History, when: datetime, category: str, amount: int, given: int = 0) -> None:
    day = when.date()
    told.spent[day, category] += amount
    told.spent[day if (day.year, day.month) == (TODAY.year, TODAY.month) else TODAY, category] -= given


def _payment(draw: st.DrawFn, told: History, name: str, same: dict[str, Any]) -> None:
    """Held, raised, settled, amended or reversed; with refunds that have a life of their own."""
    same = same | {"category": draw(st.sampled_from(["food", "travel"]))}
    held = settled = 0
    for revision in range(draw(st.integers(0, 2))):
        held = _amount(draw)
        told.tell(name, held, "authorised", revision=revision, **same)
    for revision in range(draw(st.integers(0 if held else 1, 2))):
        settled = _amount(draw)
        told.tell(name, settled, revision=revision, **same)
    if draw(st.booleans()) and settled:
        told.tell(name, 0, "declined", **same)
    is_reversed = settled and draw(st.booleans())
    if is_reversed:
        told.tell(name, settled, "reversed", **same)
    claimed = 0
    if settled and not is_reversed:
        for number in range(draw(st.integers(0, 2))):
            claimed += _refund(draw, told, f"{name}R{number}", name, same["occurred_at"])
    amount = 0 if is_reversed else settled or held
    given = min(claimed, amount)
    _spent(told, same["occurred_at"], same["category"], amount, given)
    told.income += claimed - given


def _refund(draw: st.DrawFn, told: History, name: str, purchase: str, when: datetime, *, of_two: bool = False) -> int:
    same: dict[str, Any] = {"kind": "refund", "original_external_id": purchase, "category": None, "occurred_at": when}
    amount = _amount(draw)
    life = draw(st.sampled_from(["settled", "announced", "voided", *(() if of_two else ("amended",))]))
    if life == "announced":
        told.tell(name, amount, "pending", **same)
    told.tell(name, amount, **same)
    if life == "amended":
        amount = _amount(draw)
        told.tell(name, amount, revision=1, **same)
    if life == "voided":
        told.tell(name, amount, "voided", **same)
    return 0 if life == "voided" else amount


def _parts(draw: st.DrawFn, told: History, name: str, same: dict[str, Any]) -> None:
    """An authorisation that settles under other ids, the last of them final."""
    told.tell(name, _amount(draw), "authorised", **same)
    for number in range(draw(st.integers(1, 3))):
        amount = _amount(draw)
        told.tell(f"{name}P{number}", amount, pending_external_id=name, final=number == 0 or None, **same)
        claimed = _refund(draw, told, f"{name}P{number}R", f"{name}P{number}", same["occurred_at"])
        _spent(told, same["occurred_at"], "food", amount, min(amount, claimed))
        told.income += max(0, claimed - amount)


def _twice(draw: st.DrawFn, told: History, name: str, same: dict[str, Any]) -> None:
    """One payment told by two sources, or by a person too, under one bank reference; refunded under the first's id."""
    amount = _amount(draw)
    same = same | {"reference": f"41234567{name[1:]:0>4}"}
    labels = draw(st.permutations(["food", "travel"]))
    other = draw(st.sampled_from([{"source": "upi"}, {"source": "app", "origin": "user"}]))
    told.tell(name, amount, **same, category=labels[0])
    told.tell(f"{name}b", amount, **same, category=labels[1], **other)
    claimed = _refund(draw, told, f"{name}R", name, same["occurred_at"], of_two=True) if draw(st.booleans()) else 0
    _spent(told, same["occurred_at"], "travel", amount, min(claimed, amount))
    told.income += max(0, claimed - amount)


def _transfer(draw: st.DrawFn, told: History, name: str, same: dict[str, Any]) -> None:
    """Two legs on two accounts, of an amount that nothing else has; the debit may be told by two sources."""
    amount = 1_000_000 + int(name[1:])
    leg = same | {"kind": "p2p", "account_id": "one", "reference": f"51234567{name[1:]:0>4}"}
    told.tell(name, amount, **leg)
    if draw(st.booleans()):
        told.tell(f"{name}b", amount, source="upi", **leg)
    into = AT - timedelta(days=max(0, (AT - same["occurred_at"]).days - draw(st.integers(0, 4))))
    told.tell(f"{name}i", amount, kind="income", category=None, account_id="two", occurred_at=into)


def _income(draw: st.DrawFn, told: History, name: str, same: dict[str, Any]) -> None:
    amount = _amount(draw)
    told.tell(name, amount, kind="income", **(same | {"category": None}))
    told.income += amount


SORTS = [_payment, _payment, _parts, _twice, _transfer, _income]


@given(data=st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_history_in_any_order_comes_to_what_a_plain_recount_says(data: st.DataObject) -> None:
    history = data.draw(histories())
    person = Person(at=AT)
    for name in ("one", "two"):
        person.do(CreateAccount(name=name, account_type="bank", currency="INR", external_id=name), AT)
    for category in ("food", "travel", "overall"):
        person.do(SetBudget(category=category, limit=20_000), AT)
    for command in data.draw(st.permutations(history.reports)):
        person.do(command, AT)
        person.wait(AT)
    days = {
        (date.fromordinal(day), category): amount
        for day, sums in person.state.spending.days.items()
        for category, amount in sums.items()
    }
    assert days == {key: amount for key, amount in history.spent.items() if amount}
    books = person.state.ledger.balances.get("INR", {})
    assert -sum(amount for name, amount in books.items() if name.startswith("income:")) == history.income
    assert "parked" not in books
    for budget in person.ask(GetBudgets(), AT)["items"]:
        month = {key: amount for key, amount in history.spent.items() if key[0] >= TODAY.replace(day=1)}
        wanted = sum(amount for key, amount in month.items() if budget["category"] in ("overall", key[1]))
        assert budget["spent"] == wanted
    assert all(amount >= 0 for name, amount in books.items() if name.startswith("jar:"))
    assert replayed(person.bodies) == person.state
