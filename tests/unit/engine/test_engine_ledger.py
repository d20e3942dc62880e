"""The edges of the ledger, of parked refunds and of the daily sum: each line here ended a mutant that had lived."""

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.behaviour import Refused
from engine.commands import RecordTransaction
from engine.events import Posting
from engine.ledger import ACCOUNTS_MAX, VOLUME_MAX, Ledger, accrued_holder, check_balanced, transfer
from engine.payments.parked import PARKED_MAX
from engine.payments.roundups import SavedToday
from engine.periods import local_midnight
from tests.support.person import Person

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def test_everything_debited_is_counted_to_the_last_unit() -> None:
    ledger = Ledger()
    ledger.post(transfer("expense:food", "wallet", 1, "INR"))
    ledger.post(transfer("wallet", "expense:food", 1, "INR"))
    assert ledger.volume == {"INR": 2}
    assert ledger.balances == {"INR": {}}


def test_the_books_are_full_exactly_at_their_end() -> None:
    ledger = Ledger(volume={"INR": VOLUME_MAX - 5})
    ledger.check_room(transfer("expense:food", "wallet", 5, "INR"))
    with pytest.raises(Refused) as refused:
        ledger.check_room(transfer("expense:food", "wallet", 6, "INR"))
    assert refused.value.code == "conflict"
    assert "INR" in refused.value.detail
    Ledger().check_room(transfer("expense:food", "wallet", VOLUME_MAX, "INR"))
    with pytest.raises(Refused):
        Ledger().check_room([*transfer("a", "b", VOLUME_MAX, "INR"), *transfer("a", "b", 1, "INR")])


def test_every_new_account_of_a_turn_takes_room() -> None:
    ledger = Ledger(balances={"INR": {f"a{number}": 5 for number in range(ACCOUNTS_MAX - 2)}})
    ledger.check_room(transfer("new", "newer", 1, "INR"))
    ledger.post(transfer("new", "a0", 1, "INR"))
    with pytest.raises(Refused) as refused:
        ledger.check_room(transfer("newer", "newest", 1, "INR"))
    assert refused.value.code == "conflict"
    assert str(ACCOUNTS_MAX) in refused.value.detail
    ledger.check_room(transfer("new", "a1", 1, "INR"))


def test_an_account_is_counted_in_its_own_currency() -> None:
    ledger = Ledger()
    ledger.post([*transfer("a", "b", 3, "INR"), *transfer("a", "b", 4, "USD")])
    assert (ledger.balance("a", "INR"), ledger.balance("a", "USD"), ledger.balance("c", "EUR")) == (3, 4, 0)
    with pytest.raises(Exception, match=r"INR.*-1"):
        check_balanced([Posting("a", 1, "USD"), Posting("b", -1, "INR")])


def test_nothing_moved_is_no_posting() -> None:
    assert transfer("a", "b", 0, "INR") == []


@pytest.mark.parametrize(
    ("account", "holder"),
    [("jar:x:accrued", "x"), ("jar:x:settled", None), ("group:x:accrued", "group:x"), ("promised", None)],
)
def test_what_has_accrued_in_a_jar_or_a_group_is_swept(account: str, holder: str | None) -> None:
    assert accrued_holder(account) == holder


def test_one_refund_too_many_is_a_conflict_that_says_how_many_wait() -> None:
    person = Person(at=AT)

    def refund(number: int) -> RecordTransaction:
        return RecordTransaction(
            external_id=f"R{number}",
            source="upi",
            amount=1,
            currency="INR",
            kind="refund",
            original_external_id=f"P{number}",
        )

    for number in range(PARKED_MAX):
        person.do(refund(number), AT)
    with pytest.raises(Refused) as refused:
        person.do(refund(PARKED_MAX), AT)
    assert refused.value.code == "conflict"
    assert str(PARKED_MAX) in refused.value.detail
    bought = RecordTransaction(external_id="P7", source="upi", amount=9, currency="INR", category="food")
    person.do(bought, AT)
    assert len(person.state.parked.waiting) == PARKED_MAX - 1
    person.do(refund(PARKED_MAX), AT)


def test_the_daily_sum_never_goes_back_to_an_earlier_date() -> None:
    day = date(2026, 11, 20)
    saved = SavedToday()
    saved.add(day, 5)
    saved.add(day - timedelta(days=1), 7)
    assert (saved.day, saved.on(day), saved.on(day + timedelta(days=1))) == (day, 12, 0)


def test_midnight_is_told_in_utc() -> None:
    assert local_midnight(date(2026, 11, 20), "Asia/Kolkata").utcoffset() == timedelta(0)
    assert local_midnight(date(2026, 11, 20), "Asia/Kolkata") == datetime(2026, 11, 19, 18, 30, tzinfo=UTC)
