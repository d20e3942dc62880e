"""The life of a transaction beside its worked examples (`tests/vectors/life.json`): rows, timers, bounds, order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.behaviour import Refused
from engine.commands import (
    CreateJar,
    DeleteJar,
    EditTransaction,
    ExpireAuthorisation,
    Plan,
    RecordTransaction,
    SetBudget,
    UpdateProfile,
)
from engine.events import TimerCancelled
from engine.jars import activity
from engine.payments import holds, life
from engine.views import TransactionView
from tests.support.person import BEHAVIOUR, Person, replayed

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def report(external_id: str = "P", amount: int = 19_725, status: Any = "settled", **fields: Any) -> RecordTransaction:
    fields = {"source": "card", "currency": "INR", "category": "food", "origin": "service:bank"} | fields
    return RecordTransaction(external_id=external_id, amount=amount, status=status, **fields)


def told(*commands: RecordTransaction, at: datetime = AT) -> Person:
    person = Person(at=AT)
    for command in commands:
        person.do(command, at)
    return person


def by_external_id(person: Person) -> dict[str, TransactionView]:
    return {view.external_id: view for view in person.transactions.values()}


def test_one_identity_keeps_one_transaction_id_and_one_row_through_its_life() -> None:
    person = told(report(status="pending"), report(status="authorised"), report(), report(amount=20_000, revision=1))
    rows = [row for turn in person.turns for row in BEHAVIOUR.rows(turn).transactions]
    assert [row.status for row in rows] == ["pending", "authorised", "settled", "settled"]
    assert len({row.transaction_id for row in rows}) == 1
    assert [row.amount for row in rows] == [19_725, 19_725, 19_725, 20_000]


def test_a_report_that_comes_too_late_still_makes_a_turn_with_its_answer() -> None:
    person = told(report(), report(status="authorised"))
    answer = person.answer()
    assert (answer["effect"], answer["reason"], answer["duplicate"]) == ("none", "stale_status", False)
    assert answer["transaction"] == person.answer(person.turns[1])["transaction"]
    assert msgspec.json.decode(BEHAVIOUR.push(person.turns[-1])) == []


def test_the_socket_shows_a_settlement_with_its_receipt_and_no_timer() -> None:
    person = told(report(status="authorised"), report(amount=20_125))
    (frame,) = msgspec.json.decode(BEHAVIOUR.push(person.turns[-1]))
    assert (frame["type"], frame["data"]) == ("transaction_changed", person.answer())


def test_an_authorisation_sets_its_timer_and_every_end_of_it_cancels_it() -> None:
    for end in ("settled", "voided", "declined", "expired", "reversed"):
        person = told(report(status="authorised"))
        timer = person.timers.pop(holds.timer_id(next(iter(person.transactions))))
        assert timer.due == AT + timedelta(days=14)
        person.do(report(status=end), AT)
        ended = [event for event in person.turns[-1].events if isinstance(event, TimerCancelled)]
        assert [event.timer_id for event in ended] == [timer.timer_id], end
        assert person.state.holds == {}, end


def test_an_authorisation_that_is_told_late_ends_when_its_own_time_is_over() -> None:
    person = told(report(status="authorised", occurred_at=AT - timedelta(days=20)))
    (turn,) = person.wait(AT)
    assert person.answer(turn)["transaction"]["status"] == "expired"
    assert person.state.spending.held == {}


def test_the_timer_of_an_authorisation_that_has_ended_does_nothing() -> None:
    person = told(report(status="authorised"))
    (known,) = person.transactions
    person.do(report(), AT)
    turn = person.do(ExpireAuthorisation(transaction_id=known), AT)
    assert (turn.events, BEHAVIOUR.rows(turn).transactions) == ([], ())
    assert person.do(ExpireAuthorisation(transaction_id="unknown"), AT).events == []


def test_an_expiry_is_told_like_a_void() -> None:
    person = told(report(status="authorised"))
    *_, turn = person.wait(AT + timedelta(days=14))
    assert (person.answer(turn)["effect"], person.answer(turn)["reason"]) == ("voided", "expired")
    (entry,) = activity.of_turn(turn, person.jar_id("Savings"))
    assert (entry.type, entry.amount) == ("round_up_reversed", -275)
    assert replayed(person.bodies) == person.state


def test_open_authorisations_are_bounded_and_one_that_ends_makes_room() -> None:
    person = told(*(report(f"A{n}", status="authorised") for n in range(holds.HOLDS_MAX)))
    with pytest.raises(Refused, match="authorisations are open"):
        person.do(report("more", status="authorised"), AT)
    with pytest.raises(Refused, match="authorisations are open"):
        person.do(report(status="authorised", source="card2"), AT)
    person.do(report("A0", status="voided"), AT)
    person.do(report("more2", status="authorised"), AT)


def test_a_declined_report_that_succeeds_late_needs_room_too() -> None:
    person = told(report(status="declined"), *(report(f"A{n}", status="authorised") for n in range(holds.HOLDS_MAX)))
    with pytest.raises(Refused, match="authorisations are open"):
        person.do(report(status="authorised"), AT)
    assert person.do(report(), AT).result.effect == "settled"


def test_every_report_looks_back_at_its_own_identity() -> None:
    for command, names in (
        (report(), ["P"]),
        (report(pending_external_id="A"), ["P", "A"]),
        (report(pending_external_id="P"), ["P"]),
        (report(status="authorised", pending_external_id="A"), ["P"]),
        (report(kind="refund", original_external_id="O"), ["P", "O"]),
    ):
        needs = BEHAVIOUR.needs(command)
        assert needs is not None
        assert [identity[2] for identity in needs.identities] == names
        assert {identity[:2] for identity in needs.identities} == {("service:bank", "card")}


def test_a_settlement_under_another_id_hides_the_authorisation_that_it_used_up() -> None:
    person = told(report("A", status="authorised"), report("S", pending_external_id="A"))
    views = by_external_id(person)
    assert (views["A"].status, views["S"].status) == ("drawn", "settled")
    assert views["A"].status in life.HIDDEN
    assert views["S"].life is not None
    assert views["S"].life.settles == views["A"].transaction_id
    assert {row.external_id for row in BEHAVIOUR.rows(person.turns[-1]).transactions} == {"A", "S"}


def test_nothing_more_is_taken_for_an_authorisation_that_was_drawn() -> None:
    person = told(report("A", status="authorised"), report("S", pending_external_id="A"))
    for status in ("voided", "settled", "expired"):
        person.do(report("A", status=status, revision=1), AT)
        assert person.answer()["reason"] == "stale_status"
    person.do(report("A", status="authorised", revision=1), AT)
    assert by_external_id(person)["A"].status == "drawn"
    assert person.state.ledger.balance("wallet", "INR") == -19_725


def test_a_raised_authorisation_that_was_drawn_holds_the_rest_and_a_final_one_nothing() -> None:
    for final, held in ((None, 5_000), (True, 0)):
        person = told(report("A", status="authorised"), report("S", pending_external_id="A", final=final))
        person.do(report("A", 24_725, "authorised", revision=1), AT)
        assert person.state.ledger.balance("held", "INR") == -held
        assert by_external_id(person)["A"].status == ("drawn" if final else "authorised")


def test_an_authorisation_whose_parts_came_before_it_is_drawn_when_they_took_all() -> None:
    person = told(report("S", pending_external_id="A"), report("A", status="authorised"))
    assert by_external_id(person)["A"].status == "drawn"
    assert (person.state.holds, person.state.ledger.balance("held", "INR")) == ({}, 0)


def test_a_settlement_of_what_is_no_spend_is_refused_and_changes_nothing() -> None:
    person = told(report("I", kind="income"))
    with pytest.raises(Refused, match="only an authorised spend can settle"):
        person.do(report("S", pending_external_id="I"), AT)


def test_a_part_says_what_it_leaves_out_as_its_authorisation_did() -> None:
    first = report("A", status="authorised", category=None, merchant="Zomato", occurred_at=AT - timedelta(days=2))
    person = told(first)
    authorised = next(iter(person.transactions))
    person.do(EditTransaction(transaction_id=authorised, category="travel"), AT)
    person.do(report("S", category=None, pending_external_id="A"), AT)
    part = by_external_id(person)["S"]
    assert (part.category, part.category_by, part.merchant.raw) == ("travel", "user", "Zomato")
    assert part.local_date == (AT - timedelta(days=2)).date()


def test_a_threshold_tells_at_the_authorisation_and_not_again_at_its_settlement() -> None:
    person = Person(at=AT)
    person.do(SetBudget(category="food", limit=20_000), AT)
    assert [a["data"]["highest"] for a in _alerts(person, report(status="authorised"))] == ["90"]
    assert _alerts(person, report()) == []
    assert [a["data"]["highest"] for a in _alerts(person, report(amount=20_000, revision=1))] == ["100"]


def test_a_void_arms_a_threshold_once_more() -> None:
    person = Person(at=AT)
    person.do(SetBudget(category="food", limit=20_000), AT)
    person.do(report(status="authorised"), AT)
    turn = person.do(report(status="voided", amount=0), AT)
    assert len(turn.events[0].rearmed) == 2
    assert [a["data"]["highest"] for a in _alerts(person, report("Q"))] == ["90"]


def _alerts(person: Person, command: RecordTransaction) -> Any:
    person.do(command, AT)
    return [alert for alert in person.answer()["alerts"] if alert["type"].startswith("budget")]


def test_a_void_never_breaks_a_streak() -> None:
    person = told(report(status="authorised"))
    before = person.overview(AT)["streak"]
    person.do(report(status="voided", amount=0), AT)
    assert before["current"] == 1
    assert person.overview(AT)["streak"] == before


def test_an_amount_that_goes_down_and_up_again_is_counted_once_by_the_streak() -> None:
    person = Person(at=AT)
    person.do(UpdateProfile(plan=Plan(every="week", amount=600)), AT)
    for revision, amount in enumerate((19_625, 19_925, 19_625, 19_925, 19_625)):
        person.do(report(amount=amount, revision=revision), AT)
    assert person.overview(AT)["streak"]["current"] == 0
    person.do(report(amount=19_325, revision=9), AT)
    assert person.overview(AT)["streak"]["current"] == 1


def test_a_payment_that_turns_out_to_be_a_transfer_gives_its_round_up_back_for_good() -> None:
    person = told(report(), report(kind="transfer", category=None, revision=1))
    assert (person.answer()["skipped_reason"], person.answer()["jar_postings"][0]["amount"]) == ("not_eligible", -275)
    assert person.state.ledger.balances["INR"] == {"own": 19_725, "wallet": -19_725}
    person.do(report(revision=2), AT)
    assert person.answer()["saved_amount"] == 0
    assert person.state.ledger.balance("expense:food", "INR") == 19_725


def test_a_payment_that_turns_out_to_be_an_income_changes_its_direction() -> None:
    person = told(report(), report(kind="income", revision=1))
    assert person.answer()["transaction"]["direction"] == "credit"
    assert person.state.ledger.balances["INR"] == {"income:food": -19_725, "wallet": 19_725}


def test_the_time_and_the_kind_of_a_void_are_its_own() -> None:
    later = AT + timedelta(hours=3)
    person = told(report(status="authorised", kind="p2p", occurred_at=AT))
    person.do(report(status="voided", occurred_at=later), later)
    (view,) = person.transactions.values()
    assert (view.kind, view.occurred_at) == ("p2p", AT)


def test_a_refund_that_waited_finds_a_declined_payment_that_succeeds_late() -> None:
    refund = report("R", 9_725, kind="refund", original_external_id="P", category=None)
    person = told(refund, report(status="declined"))
    assert person.state.ledger.balance("parked", "INR") == -9_725
    person.do(report(), AT)
    assert person.answer()["transaction"]["refunded_amount"] == 9_725
    assert person.state.parked.waiting == {}
    assert {row.external_id for row in BEHAVIOUR.rows(person.turns[-1]).transactions} == {"P", "R"}
    assert [e.timer_id[:7] for e in person.turns[-1].events if isinstance(e, TimerCancelled)] == ["parked:"]


def test_an_authorisation_that_waited_for_settlement_keeps_the_streak_when_it_settles() -> None:
    person = told(report(status="authorised", mcc="5541"))
    assert person.overview(AT)["streak"]["current"] == 0
    person.do(report(), AT)
    assert person.overview(AT)["streak"]["current"] == 1


# What was spent is a function of the set of reports, whatever their order.


REFUNDS: list[list[tuple[str, int]]] = [
    [("settled", 0)],
    [("pending", 0), ("settled", 0)],
    [("settled", 0), ("voided", 0)],
    [("settled", 0), ("settled", 7)],
]
"""What is reported of a refund: statuses, and by how much its amount is amended."""


@st.composite
def refunds_of(draw: st.DrawFn, name: str, day: datetime) -> list[RecordTransaction]:
    """Up to two refunds of a payment, each with a life of its own."""
    reports = []
    given: dict[str, Any] = {"kind": "refund", "original_external_id": name, "occurred_at": day, "category": None}
    for n, amount in enumerate(draw(st.lists(st.integers(1, 30_000), max_size=2))):
        for status, changes in draw(st.sampled_from(REFUNDS)):
            more = {"revision": 1} if changes else {}
            reports.append(report(f"R{name}{n}", amount + changes, status, **given, **more))
    return reports


@st.composite
def lives(draw: st.DrawFn) -> list[RecordTransaction]:
    """A few payments, each with reports that come in any order: whole ones, with their own time and category."""
    reports = []
    for name in draw(st.lists(st.sampled_from("ABC"), min_size=1, max_size=3, unique=True)):
        day = AT - timedelta(days=draw(st.integers(0, 30)))
        same: dict[str, Any] = {"occurred_at": day, "category": draw(st.sampled_from(["food", "travel"]))}
        amounts = st.integers(1, 30_000)
        if draw(st.booleans()):
            reports.append(report(name, draw(amounts), "authorised", **same))
            if draw(st.booleans()):
                reports.append(report(name, draw(amounts), "authorised", revision=1, **same))
        ends = draw(st.sampled_from(["settled", "parts", "voided", "nothing", "reversed", "amended"]))
        if ends == "settled" and draw(st.booleans()):
            reports.append(report(name, draw(amounts), "declined", **same))
        if ends in ("settled", "reversed", "amended"):
            reports.append(report(name, draw(amounts), **same))
        if ends == "amended":
            reports.append(report(name, draw(amounts), revision=draw(st.integers(1, 3)), **same))
        if ends == "reversed":
            reports.append(report(name, draw(amounts), "reversed", **same))
        if ends == "voided":
            reports.append(report(name, 0, "voided", revision=2, **same))
        if ends == "parts":
            finals = draw(st.lists(st.booleans(), min_size=1, max_size=3))
            reports += [
                report(f"{name}{n}", draw(amounts), pending_external_id=name, final=final or None, **same)
                for n, final in enumerate(finals)
            ]
        if ends in ("settled", "amended"):
            reports += draw(refunds_of(name, day))
    return reports


def spent(person: Person) -> dict[str, Any]:
    """Return the money that is spent and held, by account and by category and date; wallet and income included."""
    books = {
        account: amount
        for account, amount in person.state.ledger.balances.get("INR", {}).items()
        if not account.startswith("jar:") and account != "promised"
    }
    days = {day: sums for day, sums in person.state.spending.days.items() if sums}
    return {"books": books, "days": days, "held": person.state.spending.held}


@given(data=st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_was_spent_does_not_depend_on_the_order_of_reports(data: st.DataObject) -> None:
    reports = data.draw(lives())
    shuffled = data.draw(st.permutations(reports))
    first, second = told(*reports), told(*shuffled)
    assert spent(first) == spent(second)
    for person in (first, second):
        state = person.state
        assert sum(state.ledger.balances.get("INR", {}).values()) == 0
        held = sum(hold.amount for hold in state.holds.values())
        assert state.ledger.balance("held", "INR") == -held
        provisional = sum(part.amount for hold in state.holds.values() for part in hold.saved)
        assert state.ledger.balance(f"jar:{person.jar_id('Savings')}:provisional", "INR") == provisional
        assert state.jars[person.jar_id("Savings")].saved == -state.ledger.balance("promised", "INR")
        assert replayed(person.bodies) == state
        assert all(BEHAVIOUR.push(turn) and BEHAVIOUR.answer(turn) for turn in person.turns)
        person.wait(AT + timedelta(days=200))
        assert (state.holds, state.spending.held, state.parked.waiting) == ({}, {}, {})
        assert replayed(person.bodies) == state
        assert len({(v.source, v.external_id) for v in person.transactions.values()}) == len(person.transactions)


def test_what_moved_on_with_a_deleted_jar_is_not_saved_again() -> None:
    """Found by review: an amendment after the jar was gone saved the whole round-up a second time."""
    person = Person(at=AT)
    person.do(CreateJar(name="A", priority=1), AT)
    person.do(report(), AT)
    person.do(DeleteJar(jar_id=person.jar_id("A"), move_to=person.jar_id("Savings")), AT)
    person.do(report(amount=19_900, revision=1), AT)
    assert person.overview(AT)["total_saved"] == 275
    person.do(report(amount=19_300, revision=2), AT)
    assert person.overview(AT)["total_saved"] == 700
    person.do(report(status="reversed"), AT)
    assert person.overview(AT)["total_saved"] == 275


def test_the_socket_shows_an_amended_refund() -> None:
    """Found with golden journals: the push of such a turn failed, and with it every resume of that user's socket."""
    person = told(report(), report("R", 5_000, kind="refund", original_external_id="P"))
    person.do(report("R", 6_000, kind="refund", original_external_id="P", revision=1), AT)
    frames = msgspec.json.decode(BEHAVIOUR.push(person.turns[-1]))
    assert [frame["type"] for frame in frames] == ["transaction_changed", "transaction_refunded"]
    assert frames[1]["data"]["transaction"]["amount"] == 6_000
