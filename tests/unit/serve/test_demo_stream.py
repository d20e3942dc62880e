"""The demo's stream: the same from the same seed, new ids each run, and the shape it was given."""

import re
from collections import Counter

import msgspec
import pytest

from engine.commands import TransactionFields
from serve.demo import shape
from serve.demo.stream import DemoEvent, merchants, stream

PEOPLE = ("asha", "bimo", "chen")


@pytest.fixture(scope="module")
def events() -> list[DemoEvent]:
    return stream(7, "run1", PEOPLE, 3000)


def first_sent(events: list[DemoEvent]) -> list[DemoEvent]:
    return [event for event in events if not event.resent]


def spends(events: list[DemoEvent]) -> list[DemoEvent]:
    return [event for event in first_sent(events) if event.body["direction"] == "debit"]


def test_the_same_seed_gives_the_same_stream(events: list[DemoEvent]) -> None:
    assert stream(7, "run1", PEOPLE, 3000) == events
    assert stream(8, "run1", PEOPLE, 3000) != events


def test_another_run_differs_in_ids_only(events: list[DemoEvent]) -> None:
    later = stream(7, "run2", PEOPLE, 3000)
    assert {e.body["external_id"] for e in later}.isdisjoint(e.body["external_id"] for e in events)
    assert [e.body["amount"] for e in later] == [e.body["amount"] for e in events]


def test_a_longer_stream_begins_with_the_shorter_one(events: list[DemoEvent]) -> None:
    assert stream(7, "run1", PEOPLE, 100) == events[:100]


def test_every_event_is_what_the_wire_takes(events: list[DemoEvent]) -> None:
    for event in events:
        taken = msgspec.convert({**event.body, "occurred_at": "2026-11-20T08:00:00+05:30"}, TransactionFields)
        assert taken.amount > 0


def test_ids_are_unique_but_for_what_is_sent_again(events: list[DemoEvent]) -> None:
    counts = Counter(event.body["external_id"] for event in events)
    again = Counter(event.body["external_id"] for event in events if event.resent)
    assert {i for i, n in counts.items() if n > 1} == set(again)
    assert 0 < len(again) < 0.05 * len(events)


def test_what_is_sent_again_is_the_same_body_and_comes_later(events: list[DemoEvent]) -> None:
    first: dict[str, DemoEvent] = {}
    for event in events:
        original = first.setdefault(event.body["external_id"], event)
        if event.resent:
            assert original is not event
            assert original.body == event.body


def test_simulated_time_never_runs_backwards(events: list[DemoEvent]) -> None:
    times = [event.simulated_at for event in events]
    assert times == sorted(times)


def test_evenings_and_sundays_are_busy_and_nights_are_quiet(events: list[DemoEvent]) -> None:
    hours = Counter(event.simulated_at.hour for event in spends(events))
    days = Counter(event.simulated_at.weekday() for event in spends(events))
    assert sum(hours[h] for h in (19, 20, 21)) > 5 * sum(hours[h] for h in (1, 2, 3))
    assert days[6] > days[4]


def test_each_person_is_paid_once_a_month_on_its_last_day(events: list[DemoEvent]) -> None:
    paid = [event for event in events if event.expected_category == "income"]
    months = Counter((e.person, e.simulated_at.year, e.simulated_at.month) for e in paid)
    assert set(months.values()) == {1}
    assert all(event.simulated_at.day >= 28 for event in paid)


def test_some_amounts_are_exact_multiples_and_most_are_not(events: list[DemoEvent]) -> None:
    purchases = [e for e in spends(events) if e.body["kind"] == "purchase"]
    exact = sum(e.body["amount"] % 1000 == 0 for e in purchases) / len(purchases)
    assert 0.10 < exact < 0.30


def test_most_spends_are_at_a_merchant_seen_before(events: list[DemoEvent]) -> None:
    seen: set[tuple[str, str]] = set()
    again = 0
    for event in spends(events):
        shop = (event.person, re.sub(r"\d{6,}", "", event.body["description"]))
        again += shop in seen
        seen.add(shop)
    assert again / len(spends(events)) > shape.KNOWN_MERCHANT_SHARE


def test_a_category_costs_about_what_it_was_measured_to(events: list[DemoEvent]) -> None:
    food = sorted(e.body["amount"] / 100 for e in spends(events) if e.expected_category == "food")
    median = food[len(food) // 2]
    assert 0.7 < median / (shape.SPENDING["food"].median * shape.PRICE_LEVEL) < 1.4


def test_every_category_that_is_spent_on_has_merchants() -> None:
    assert shape.SPENDING.keys() <= merchants().keys()
    assert sum(len(found) for found in merchants().values()) == 320
