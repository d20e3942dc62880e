"""The travel app's expenses: a date nobody can read names its field."""

import pytest

from adapters.wallets.travel_app import Expense, Unreadable, transaction


def expense(date: str) -> Expense:
    return Expense(
        userId="asha", source="qris", externalId="E1", amount=100, currency="INR", date=date, consentGiven=True
    )


@pytest.mark.parametrize(
    "date", ["yesterday", "2026-11-20T09:30:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_a_date_nobody_can_read_names_its_field(date: str) -> None:
    with pytest.raises(Unreadable) as refused:
        transaction(expense(date))
    assert refused.value.field == "date"


@pytest.mark.parametrize(
    ("date", "at"), [("2026-11-20", "2026-11-20T12:00:00+00:00"), ("2026-11-20T09:30:00+05:30",) * 2]
)
def test_a_date_may_come_with_or_without_a_time(date: str, at: str) -> None:
    occurred_at = transaction(expense(date)).occurred_at
    assert occurred_at is not None
    assert occurred_at.isoformat() == at
