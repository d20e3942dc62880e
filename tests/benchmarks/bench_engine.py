"""CPU time of the engine for a purchase: decide + evolve + encode, for a user with jars, budgets and a streak.

Three months of purchases, seven minutes apart: caps, periods and streaks turn over as in life.
"""

import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from engine.behaviour import Context, Facts
from engine.commands import AMOUNT_MAX, CreateJar, OpenUser, RecordTransaction, SetBudget
from tests.support.person import BEHAVIOUR, Person

PURCHASES, ROUNDS = 20_000, 3
_OPENED = datetime(2026, 11, 18, 9, tzinfo=UTC)


def _user() -> Person:
    person = Person(OpenUser(auto_saving="on"), _OPENED)
    person.do(CreateJar(name="Goa", target_amount=AMOUNT_MAX, priority=1), _OPENED)
    person.do(SetBudget(category="food", limit=AMOUNT_MAX), _OPENED)
    person.do(SetBudget(category="overall", limit=AMOUNT_MAX), _OPENED)
    return person


def _purchases() -> list[RecordTransaction]:
    return [
        RecordTransaction(
            external_id=f"E{number}",
            source="upi",
            amount=19_725 + number,
            currency="INR",
            merchant="Zomato",
            description="UPI/DR/123/zomato food order",
            category="food",
        )
        for number in range(PURCHASES)
    ]


def _round(person: Person, purchases: list[RecordTransaction], ids: Iterator[str]) -> float:
    """Return the seconds of one pass; days follow each other, so that caps and streaks work as in life."""
    start = person.turns[-1].at
    contexts = [
        Context(at=start + timedelta(minutes=7 * number), seq=number, new_id=ids.__next__)
        for number in range(1, PURCHASES + 1)
    ]
    state, facts = person.state, Facts()
    began = time.process_time()
    for command, context in zip(purchases, contexts, strict=True):
        decision = BEHAVIOUR.decide(state, command, facts, context)
        for event in decision.events:
            BEHAVIOUR.evolve(state, event)
        BEHAVIOUR.encode_turn(decision.events, decision.result)
    return time.process_time() - began


def measure() -> float:
    """Return the best round's microseconds a purchase."""
    purchases = _purchases()
    ids = iter([f"019aa0d2-aaaa-7000-8000-{number:012d}" for number in range(PURCHASES * 3)])
    rounds = []
    for _ in range(ROUNDS):
        gc.collect()
        rounds.append(_round(_user(), purchases, ids))
        ids = iter([f"019aa0d2-aaaa-7000-8000-{number:012d}" for number in range(PURCHASES * 3)])
    return min(rounds) / PURCHASES * 1e6


if __name__ == "__main__":
    print(f"engine: decide + evolve + encode {measure():.1f} us a purchase")
