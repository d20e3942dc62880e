"""Transfers between one's own jars, stage by stage."""

from datetime import UTC, datetime

import pytest

from engine.behaviour import Refused
from engine.commands import CreateJar, DeleteJar, DepositToJar, Plan, ReportResult, TransferToJar
from engine.ledger import PROMISED, WALLET, jar_account, transfer
from engine.queries import GetStreaks
from tests.support.person import Person

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def person() -> Person:
    """Goa holds 1,000: 400 accrued, 300 settled, and 100 each that is provisional, scheduled and reserved."""
    person = Person(at=AT)
    goa = person.do(CreateJar(name="Goa"), AT).events[0].jar_id
    settled(person, goa, 1_000)
    for stage, amount in (("accrued", 400), ("provisional", 100), ("scheduled", 100), ("reserved", 100)):
        person.state.ledger.post(transfer(jar_account(goa, stage), jar_account(goa, "settled"), amount, "INR"))
    person.state.ledger.post(transfer(WALLET, PROMISED, 600, "INR"))
    return person


def settled(person: Person, jar_id: str, amount: int) -> None:
    """Deposit, and let the host say that it is done."""
    person.do(DepositToJar(jar_id=jar_id, amount=amount), AT)
    person.do(ReportResult(instruction_id=next(iter(person.state.settlement.open)), status="done"), AT)


def stages(person: Person, name: str) -> dict[str, int]:
    account = jar_account(person.jar_id(name), "")
    book = person.state.ledger.balances["INR"]
    return {name.removeprefix(account): amount for name, amount in book.items() if name.startswith(account)}


def move(person: Person, amount: int) -> None:
    person.do(TransferToJar(jar_id=person.jar_id("Goa"), to_jar=person.jar_id("Savings"), amount=amount), AT)


def test_settled_money_goes_first_and_stays_settled(person: Person) -> None:
    move(person, 250)
    assert stages(person, "Savings") == {"settled": 250}
    move(person, 100)
    assert stages(person, "Savings") == {"settled": 300, "accrued": 50}
    assert stages(person, "Goa") == {"accrued": 350, "provisional": 100, "scheduled": 100, "reserved": 100}


def test_what_is_provisional_scheduled_or_reserved_stays(person: Person) -> None:
    with pytest.raises(Refused) as refused:
        move(person, 701)
    assert refused.value.extra == {"balance": 1_000, "movable": 700}
    move(person, 700)
    assert stages(person, "Goa") == {"provisional": 100, "scheduled": 100, "reserved": 100}


def test_a_jar_with_money_on_its_way_out_is_not_deleted(person: Person) -> None:
    with pytest.raises(Refused, match="on its way out"):
        person.do(DeleteJar(jar_id=person.jar_id("Goa"), move_to=person.jar_id("Savings")), AT)


def test_a_transfer_counts_for_the_plan_of_the_jar_that_receives_and_not_for_the_persons() -> None:
    person = Person(at=AT)
    goa = person.do(CreateJar(name="Goa", plan=Plan(every="week", amount=300)), AT).events[0].jar_id
    settled(person, person.jar_id("Savings"), 500)
    later = AT.replace(day=25)
    person.do(TransferToJar(jar_id=person.jar_id("Savings"), to_jar=goa, amount=300), later)
    own, of_goa = person.ask(GetStreaks(), later)["items"]
    assert (own["current"], own["state"]) == (1, "open")
    assert (of_goa["jar_id"], of_goa["current"], of_goa["state"]) == (goa, 1, "kept")
