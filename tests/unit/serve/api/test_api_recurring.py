"""Schedules over REST."""

from pathlib import Path
from typing import Any

from tests.support.rest import serving

V = "/api/v1/recurring"
RENT: dict[str, Any] = {
    "name": "Rent",
    "amount": 1_000_000,
    "direction": "debit",
    "category": "rent",
    "rrule": "FREQ=MONTHLY;BYMONTHDAY=5",
    "starts_on": "2026-11-01",
}


async def test_a_schedule_is_made_matched_unlinked_changed_and_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        made = await rest.http.post(V, json=RENT, headers=rest.bearer())
        assert (made.status_code, made.json()["next_due"]) == (201, "2026-12-05")
        one = f"{V}/{made.json()['recurring_id']}"
        report = {"external_id": "T1", "source": "upi", "amount": 999_000, "currency": "INR", "merchant": "Rent"}
        early = {**report, "occurred_at": "2026-11-20T09:00:00Z"}
        paid = await rest.http.post("/api/v1/transactions", json=early, headers=rest.bearer())
        assert paid.status_code == 201
        assert (await rest.http.get(one, headers=rest.bearer())).json()["next_due"] == "2026-12-05"
        weekly = await rest.http.patch(one, json={"rrule": "FREQ=WEEKLY;BYDAY=FR"}, headers=rest.bearer())
        assert weekly.json()["next_due"] == "2026-11-20"
        again = await rest.http.post(
            "/api/v1/transactions", json={**report, "external_id": "T2"}, headers=rest.bearer()
        )
        shown = (await rest.http.get(V, headers=rest.bearer())).json()["items"][0]
        assert shown["next_due"] == "2026-11-27"
        assert shown["occurrences"][1]["transaction_id"] == again.json()["transaction_id"]
        body = {"transaction_id": again.json()["transaction_id"]}
        unlinked = await rest.http.post(f"{one}/unlink", json=body, headers=rest.bearer())
        assert unlinked.json()["occurrences"][1]["state"] == "missed"
        assert (await rest.http.delete(one, headers=rest.bearer())).status_code == 204
        assert (await rest.http.get(one, headers=rest.bearer())).status_code == 404


async def test_a_bad_schedule_names_its_field_and_what_is_wrong(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        for change, field in (
            ({"rrule": "FREQ=HOURLY"}, "rrule"),
            ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rrule"),
            ({"starts_on": "2020-01-01"}, "starts_on"),
            ({"amount": 0}, "amount"),
            ({"direction": "sideways"}, "direction"),
            ({"remind_days_before": 31}, "remind_days_before"),
            ({"category": "overall"}, "category"),
            ({"colour": "red"}, "colour"),
        ):
            answer = await rest.http.post(V, json={**RENT, **change}, headers=rest.bearer())
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
