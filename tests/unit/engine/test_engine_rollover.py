"""Roll-over is a function of what was spent, in whatever order it comes; what falls out of 13 months stays carried."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import AMOUNT_MAX, EditTransaction, RecordTransaction, Rollover, SetBudget
from engine.periods import budget_period
from engine.planning.budgets import Budget, percent
from engine.queries import GetBudgets
from tests.support import naive
from tests.support.person import Person

START = datetime(2025, 12, 5, 6, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
LIMIT = 10_000


def chain(period: Any, starts_on: int, first: date, last: date) -> list[date]:
    """Return the first days of the periods that hold `first` to `last`, and the end."""
    starts = [budget_period(first, period, starts_on)[0]]
    while starts[-1] <= last:
        starts.append(budget_period(starts[-1], period, starts_on)[1])
    return starts


def person(modes: list[tuple[str, str, int]], **fields: Any) -> Person:
    someone = Person(at=START)
    for category, period, starts_on in modes:
        someone.do(
            SetBudget(category=category, limit=LIMIT, period=period, starts_on=starts_on, **fields),  # type: ignore[arg-type]
            START,
        )
    return someone


SPENDS = st.lists(
    st.tuples(st.integers(0, 349), st.integers(1, 9_000), st.sampled_from(["food", "travel"])), max_size=40
)


@settings(deadline=None)
@given(
    spends=SPENDS,
    order=st.randoms(use_true_random=False),
    mode=st.sampled_from(["none", "surplus", "all"]),
    starts_on=st.sampled_from([1, 7, 28, 31]),
)
def test_what_is_spent_and_carried_does_not_depend_on_the_order(
    spends: list[tuple[int, int, str]], order: Any, mode: Rollover, starts_on: int
) -> None:
    cuts = [("food", "monthly", starts_on), ("overall", "monthly", 1), ("food", "weekly", 3)]
    someone = person(cuts, rollover=mode)
    first = date(2025, 12, 5)
    dated = [(first + timedelta(days), amount, category) for days, amount, category in spends]
    shuffled = list(enumerate(dated))
    order.shuffle(shuffled)
    for number, (day, amount, category) in shuffled:
        someone.do(
            RecordTransaction(
                external_id=str(number),
                source="upi",
                amount=amount,
                currency="INR",
                category=category,
                occurred_at=datetime(day.year, day.month, day.day, 6, tzinfo=UTC),
            ),
            NOW,
        )
    for budget in someone.state.budgets.values():
        counted = [(day, amount) for day, amount, category in dated if budget.category in ("overall", category)]
        periods = chain(budget.period, budget.starts_on, first, date(2026, 11, 20))
        expected = naive.carried(counted, LIMIT, mode, periods)
        for start, end in itertools.pairwise(periods):
            assert budget.terms(start) == (LIMIT, expected[start])
            assert budget.spent_in(start) == sum(amount for day, amount in counted if start <= day < end)


@settings(deadline=None)
@given(order=st.randoms(use_true_random=False), data=st.data())
def test_refunds_and_changed_categories_give_the_same_in_any_order(order: Any, data: Any) -> None:
    """A provider's refund may come before its purchase; a changed category moves purchase and refunds together."""
    count = 6
    amounts = data.draw(st.lists(st.integers(100, 9_000), min_size=count, max_size=count))
    reports = []
    for number, amount in enumerate(amounts):
        at = NOW - timedelta(days=20 * number)
        fields: Any = {"source": "upi", "currency": "INR", "origin": "service:bank"}
        purchase = RecordTransaction(external_id=f"P{number}", amount=amount, category="food", occurred_at=at, **fields)
        refund = RecordTransaction(
            external_id=f"R{number}", amount=amount // 3, kind="refund", original_external_id=f"P{number}", **fields
        )
        reports += [purchase, refund]

    def after(sequence: list[RecordTransaction]) -> list[Any]:
        someone = person([("food", "monthly", 1), ("travel", "monthly", 1), ("overall", "monthly", 15)], rollover="all")
        for report in sequence:
            someone.do(report, NOW)
        moved = next(t.transaction_id for t in someone.transactions.values() if t.external_id == "P3")
        someone.do(EditTransaction(transaction_id=moved, category="travel"), NOW)
        views = someone.ask(GetBudgets(), NOW)["items"]
        return [[view[name] for name in ("category", "spent", "base", "carried", "left", "percent")] for view in views]

    expected = after(reports)
    shuffled = list(reports)
    order.shuffle(shuffled)
    assert after(shuffled) == expected


def budget(period: Any = "monthly", rollover: Rollover = "all", start: date = date(2026, 1, 1)) -> Budget:
    first = start.toordinal()
    return Budget(
        budget_id="b",
        category="food",
        period=period,
        limit=LIMIT,
        starts_on=1,
        rollover=rollover,
        limits={first: LIMIT},
        chain_from=first,
    )


def test_a_spend_of_more_than_thirteen_months_ago_changes_nothing_any_more() -> None:
    one = budget()
    one.add(date(2026, 1, 10), 4_000)
    one.add(date(2027, 1, 10), 100)
    assert one.terms(date(2027, 2, 1)) == (LIMIT, 13 * LIMIT - 4_100)
    one.add(date(2026, 1, 10), 1_000)
    assert one.terms(date(2027, 2, 1)) == (LIMIT, 13 * LIMIT - 5_100)
    one.add(date(2027, 2, 10), 100)
    assert min(one.spent) == date(2027, 1, 1).toordinal()
    assert one.chain_from == date(2026, 2, 1).toordinal()
    one.add(date(2026, 1, 10), 1_000)
    assert one.terms(date(2027, 3, 1)) == (LIMIT, 14 * LIMIT - 5_200)


@pytest.mark.parametrize(("period", "kept"), [("weekly", 57), ("monthly", 13)])
def test_a_budget_stays_small_however_long_it_lives(period: Any, kept: int) -> None:
    one = budget(period)
    for days in range(0, 4_000, 3):
        one.add(date(2026, 1, 1) + timedelta(days), 100)
        start = one.bounds(date(2026, 1, 1) + timedelta(days))[0]
        one.limits[start.toordinal()] = LIMIT
    assert len(one.spent) == kept
    assert len(one.limits) <= kept + 1


def test_what_is_carried_is_bounded_like_an_amount() -> None:
    one = budget(start=date(2020, 1, 1))
    one.limits = {one.chain_from: AMOUNT_MAX}
    assert one.terms(date(2026, 1, 1))[1] == AMOUNT_MAX
    one.limits = {one.chain_from: 0}
    for month in range(1, 13):
        one.add(date(2020, month, 1), AMOUNT_MAX)
    assert one.terms(date(2021, 1, 1))[1] == -AMOUNT_MAX


def test_percent_where_nothing_may_be_spent() -> None:
    assert [percent(1, 0), percent(0, 0), percent(0, -5), percent(-9, -5), percent(-1, 100)] == [100, 0, 100, 0, 0]
