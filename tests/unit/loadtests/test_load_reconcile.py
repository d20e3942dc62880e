import pytest

from loadtests.reconcile import Ack, Feed, Findings, Heard, Journal, reconcile

JOURNAL: Journal = {"asha": [(1, None), (2, "a"), (3, "b")], "ravi": [(1, None), (2, "c")]}
ACKS = [Ack("asha", 2, "a"), Ack("asha", 3, "b"), Ack("ravi", 2, "c")]
LISTENERS = [Heard("asha", 1, 3, {2: "a", 3: "b"}), Heard("ravi", 0, 2, {1: None, 2: "c"})]
FEED = Feed([("asha", 1), ("ravi", 1), ("asha", 2), ("asha", 2), ("ravi", 2), ("asha", 3)])


def wrong(findings: Findings) -> dict[str, int]:
    """Return the counts that are not zero."""
    counts = {name: getattr(findings, name) for name in Findings.__struct_fields__}
    skipped = ("examples", "acknowledged", "turns")
    return {name: count for name, count in counts.items() if name not in skipped and count}


def test_all_is_well() -> None:
    findings = reconcile(ACKS, JOURNAL, LISTENERS, FEED)
    assert wrong(findings) == {}
    assert (findings.acknowledged, findings.turns, findings.examples) == (3, 5, [])


def test_what_was_acknowledged_and_is_in_no_turn_is_lost() -> None:
    findings = reconcile([*ACKS, Ack("ravi", 3, "d"), Ack("nobody", 1, "e")], JOURNAL, LISTENERS)
    assert wrong(findings) == {"lost": 2}
    assert "d of ravi, acknowledged as turn 3" in findings.examples[0]


def test_a_receipt_that_names_another_turn_is_found() -> None:
    assert wrong(reconcile([Ack("asha", 3, "a")], JOURNAL, [])) == {"misplaced": 1}


def test_an_event_in_two_turns_is_found() -> None:
    assert wrong(reconcile([], {"asha": [(1, "a"), (2, "a")]}, [])) == {"doubled": 1}


def test_the_same_id_of_two_users_is_two_events() -> None:
    assert wrong(reconcile([Ack("asha", 1, "a")], {"asha": [(1, "a")], "ravi": [(1, "a")]}, [])) == {}


@pytest.mark.parametrize("turns", [[(2, None)], [(1, None), (3, None)], [(1, None), (1, None)]])
def test_a_journal_that_is_not_dense_is_found(turns: list[tuple[int, str | None]]) -> None:
    assert wrong(reconcile([], {"asha": turns}, [])) == {"holes": 1}


@pytest.mark.parametrize(
    ("listener", "missing"),
    [
        (Heard("asha", 1, 2, {2: "a"}), 1),
        (Heard("asha", 1, 3, {3: "b"}), 1),
        (Heard("asha", 0, 0, {}), 3),
        (Heard("asha", 3, 3, {}), 0),
        (Heard("asha", 1, 2, {2: "a"}, until=2), 0),
        (Heard("asha", 1, 2, {2: "a"}, until=3), 1),
    ],
)
def test_a_listener_gets_every_turn_from_its_start_until_it_leaves(listener: Heard, missing: int) -> None:
    assert reconcile(ACKS, JOURNAL, [listener]).not_pushed == missing


def test_a_turn_pushed_with_another_payment_is_found() -> None:
    assert wrong(reconcile(ACKS, JOURNAL, [Heard("asha", 1, 3, {2: "b", 3: "a"})])) == {"pushed_otherwise": 2}


def test_what_the_feed_never_gave_or_gave_too_early_is_found() -> None:
    missing = Feed([("asha", 1), ("asha", 2), ("ravi", 1), ("ravi", 2)])
    assert wrong(reconcile(ACKS, JOURNAL, LISTENERS, missing)) == {"feed_missing": 1}
    early = Feed([("asha", 1), ("asha", 3), ("asha", 2), ("ravi", 1), ("ravi", 2)])
    assert wrong(reconcile(ACKS, JOURNAL, LISTENERS, early)) == {"feed_disordered": 1}
    from_two = Feed([("asha", 2), ("asha", 3), ("ravi", 2)], {"asha": 2, "ravi": 2})
    assert wrong(reconcile(ACKS, JOURNAL, LISTENERS, from_two)) == {}


def test_examples_are_few() -> None:
    findings = reconcile([Ack("asha", n, f"x{n}") for n in range(100)], JOURNAL, [])
    assert findings.lost == 100
    assert len(findings.examples) == 10
