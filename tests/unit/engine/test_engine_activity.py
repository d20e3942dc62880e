"""A jar's activity is read back from the events that moved its money."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from msgspec import Struct

from engine.behaviour import Turn
from engine.commands import CreateJar, DeleteJar, DepositToJar, RecordTransaction
from engine.events import Event, JarDeposited, Posting
from engine.jars import activity
from engine.views import Shown
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


def test_every_event_with_postings_has_a_reason_or_is_known_to_leave_jars_alone() -> None:
    money = {event for event in get_args(Event) if "postings" in event.__struct_fields__}
    assert money == activity.REASONS.keys() | activity.NO_JAR
    assert not activity.REASONS.keys() & activity.NO_JAR


@pytest.mark.parametrize("event", activity.REASONS, ids=lambda event: event.__name__)
def test_what_a_reason_shows_is_there(event: type[Struct]) -> None:
    shown = activity.REASONS[event].shown
    assert shown.keys() <= set(activity.JarActivity.__struct_fields__)
    assert all(hasattr(event, attribute) for attribute in shown.values())


def test_a_change_of_stage_alone_is_no_movement() -> None:
    def moved(**stages: int) -> list[activity.JarActivity]:
        postings = [Posting(f"jar:g:{stage}", amount, "INR") for stage, amount in stages.items()]
        event = JarDeposited(deposit_id="d", jar_id="g", at=AT, local_date=AT.date(), amount=1, postings=postings)
        return activity.of_turn(Turn("main/u1", 7, AT, [event], Shown()), "g")

    assert moved(accrued=-300, scheduled=300) == []
    assert moved(settled=-300, reserved=300) == []
    assert moved(scheduled=-300, settled=300) == []
    (part,) = moved(scheduled=-300, settled=200)
    assert (part.type, part.amount, part.stages) == ("deposit", -100, {"scheduled": -300, "settled": 200})
