"""What the demo prints: one line a spend, and the summary."""

import math
from typing import Any

import pytest

from serve.demo.lines import Summary, money, percentile, resent_line, spend_line


def receipt(**changes: Any) -> dict[str, Any]:
    return {
        "external_id": "e1",
        "amount": 19725,
        "category": "food",
        "confidence": 0.95,
        "rounded_to": 20000,
        "saved_amount": 275,
        "skipped_reason": None,
        "jar_postings": [{"jar_id": "j1", "amount": 275}],
        "alerts": [],
        "budgets": [{"category": "food", "spent": 19725, "limit": 100000, "percent": 19}],
        "transaction": {"direction": "debit"},
        "duplicate": False,
        **changes,
    }


@pytest.mark.parametrize(
    ("paise", "text"),
    [
        (0, "₹0.00"),
        (5, "₹0.05"),
        (19725, "₹197.25"),
        (100000, "₹1,000.00"),
        (123456789, "₹12,34,567.89"),
        (-250, "-₹2.50"),
    ],
)
def test_money_is_grouped_as_in_india(paise: int, text: str) -> None:
    assert money(paise) == text


def test_a_spend_line_tells_the_whole_story() -> None:
    line = spend_line("asha", receipt(), {"j1": ("Goa trip", 15275)}, 4.06)
    assert line.split() == ("asha ₹197.25 food 95% ₹200.00 ₹2.75 Goa trip ₹152.75 food ₹802.75 4.1 ms".split())


def test_a_skipped_round_up_says_why() -> None:
    line = spend_line("asha", receipt(saved_amount=0, skipped_reason="exact_multiple", jar_postings=[]), {}, 4.0)
    assert "(exact_multiple)" in line


def test_an_alert_ends_the_line() -> None:
    line = spend_line("asha", receipt(alerts=[{"type": "budget_threshold", "message": "food: 70 % spent"}]), {}, 4.0)
    assert line.endswith("food: 70 % spent")


def test_a_round_up_over_two_jars_shows_both() -> None:
    postings = [{"jar_id": "j1", "amount": 100}, {"jar_id": "j2", "amount": 175}]
    jars = {"j1": ("Gifts", 10000), "j2": ("Goa trip", 175)}
    assert "Gifts ₹100.00, Goa trip ₹1.75" in spend_line("asha", receipt(jar_postings=postings), jars, 4.0)


def test_an_overspent_budget_is_negative_and_overall_stands_in_for_none() -> None:
    over = receipt(budgets=[{"category": "overall", "spent": 1500, "limit": 1000, "percent": 150}])
    assert "overall -₹5.00" in spend_line("asha", over, {}, 4.0)


def test_income_carries_a_plus_and_a_missing_push_is_said() -> None:
    line = spend_line("asha", receipt(transaction={"direction": "credit"}, budgets=[]), {}, None)
    assert "+₹197.25" in line
    assert "no push" in line


def test_an_event_sent_again_is_told_apart() -> None:
    assert "counted once" in resent_line("asha", receipt(duplicate=True))
    assert "NOT recognised" in resent_line("asha", receipt(duplicate=False))


def test_percentiles_are_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (50.0, 99.0, 7.0)
    assert math.isnan(percentile([], 0.5))


def test_the_summary_adds_up() -> None:
    summary = Summary(sent=3, duplicates=1, elapsed_s=1.5, push_ms=[4.0, 6.0], reply_ms=[3.0, 5.0, 9.0])
    summary.add(receipt())
    summary.add(receipt(saved_amount=0, skipped_reason="cap", alerts=[{"type": "budget_exceeded", "message": "!"}]))
    text = "\n".join(summary.lines())
    assert "3 sent in 1.5 s (2/s): 2 recorded, 1 duplicates recognised, 0 refused" in text
    assert "₹2.75 in all; nothing saved: cap 1" in text
    assert "1: budget_exceeded 1" in text
    assert "p50 4.0 ms, p99 6.0 ms" in text
    assert summary.figures()["reply_ms"] == {"p50": 5.0, "p99": 9.0}
