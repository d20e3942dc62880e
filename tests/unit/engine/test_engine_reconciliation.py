"""Every way in which a day here and the host's statement of it can differ, by name."""

from datetime import UTC, datetime
from typing import Any

from engine.settlement.reconciliation import Entry, Sum, compare, sums
from engine.settlement.views_settlement import InstructionView

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def ours(name: str, **changes: Any) -> InstructionView:
    fields: dict[str, Any] = {
        "instruction_id": name,
        "user_id": "asha",
        "type": "debit",
        "amount": 500,
        "currency": "INR",
        "parts": [],
        "status": "done",
        "created_at": AT,
        "due": None,
        "mandate": None,
        "destination": None,
        "attempt": 0,
        "ready": False,
        "reference": f"UTR-{name}",
        "reason": None,
        "reported_at": AT,
    }
    return InstructionView(**{**fields, **changes})


def entry(name: str | None = None, **changes: Any) -> Entry:
    return Entry(**{"instruction_id": name, "amount": 500, "currency": "INR", "status": "done", **changes})


def kinds(here: list[InstructionView], there: list[Entry], *elsewhere: InstructionView) -> tuple[int, list[str]]:
    agreed, found = compare(here, {one.instruction_id: one for one in elsewhere}, there)
    return agreed, [one.kind for one in found]


def test_lines_agree_by_id_and_by_reference() -> None:
    assert kinds([ours("a"), ours("b")], [entry("a"), entry(reference="UTR-b")]) == (2, [])


def test_what_only_the_host_has_is_missing_here() -> None:
    agreed, (one,) = compare([], {}, [entry("x", reference="UTR-x")])
    assert (agreed, one.kind, one.instruction_id, one.reference, one.here) == (0, "missing_here", "x", "UTR-x", None)


def test_what_only_we_have_is_missing_there_unless_it_failed() -> None:
    agreed, (one,) = compare([ours("a"), ours("b", status="failed", reference=None)], {}, [])
    assert (agreed, one.kind, one.instruction_id, one.user_id, one.there) == (0, "missing_there", "a", "asha", None)


def test_another_amount_or_currency_is_told_with_both_sides() -> None:
    _, (one, other) = compare([ours("a"), ours("b")], {}, [entry("a", amount=499), entry("b", currency="USD")])
    assert one.kind == other.kind == "amount_differs"
    assert one.here is not None
    assert one.there is not None
    assert (one.here.amount, one.there.amount) == (500, 499)


def test_another_status_is_told_also_of_what_still_waits_here() -> None:
    assert kinds([ours("a")], [entry("a", status="failed")]) == (0, ["status_differs"])
    assert kinds([], [entry("w")], ours("w", status="open")) == (0, ["status_differs"])


def test_a_line_that_comes_twice_is_told_once() -> None:
    assert kinds([ours("a")], [entry("a"), entry(reference="UTR-a")]) == (1, ["twice_there"])


def test_what_ended_here_on_another_day_agrees_and_is_not_missing() -> None:
    assert kinds([], [entry("a")], ours("a")) == (1, [])


def test_sums_are_of_what_was_done() -> None:
    day = [ours("a"), ours("b", type="payout", amount=200), ours("c", status="failed"), ours("d", currency="USD")]
    assert sums(day) == [Sum("INR", 500, 200, 2), Sum("USD", 500, 0, 1)]
