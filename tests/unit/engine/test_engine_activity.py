"""A jar's activity is read back from the events that moved its money."""

from datetime import UTC, datetime

from engine import activity
from engine.commands import CreateJar, DeleteJar, DepositToJar, RecordTransaction
from tests.support.person import Person

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_round_ups_deposits_and_moves_are_told_with_their_reason() -> None:
    person = Person(at=AT)
    goa = person.do(CreateJar(name="Goa", priority=1), AT).events[0].jar_id
    pune = person.do(CreateJar(name="Pune", priority=2), AT).events[0].jar_id
    purchase = RecordTransaction(external_id="T1", source="upi", amount=19_725, currency="INR", category="food")
    bought = person.do(purchase, AT)
    put = person.do(DepositToJar(jar_id=goa, amount=500), AT)
    moved = person.do(DeleteJar(jar_id=goa, move_to=pune), AT)
    of_goa = [entry for turn in (bought, put) for entry in activity.of_turn(turn, goa)]
    assert [(entry.type, entry.amount, entry.seq) for entry in of_goa] == [
        ("round_up", 275, bought.seq),
        ("deposit", 500, put.seq),
    ]
    assert of_goa[0].transaction_id == bought.events[0].transaction_id
    (into_pune,) = activity.of_turn(moved, pune)
    assert (into_pune.type, into_pune.amount, into_pune.from_jar) == ("moved_in", 775, goa)
    assert activity.of_turn(bought, pune) == []
