"""The life of a transaction over REST: statuses of the answer, edits and deletion of own entries."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.rest import Rest, serving


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as client:
        yield client


async def call(rest: Rest, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = await rest.http.request(method, f"/api/v1{path}", json=body, headers=rest.bearer())
    return answer.status_code, answer.json() if answer.content else None


async def report(rest: Rest, status: str = "settled", amount: int = 19_725, **fields: Any) -> tuple[int, Any]:
    body = {"external_id": "T1", "source": "card", "currency": "INR", "category": "food", "status": status}
    return await call(rest, "POST", "/transactions", body | {"amount": amount} | fields)


async def spent(rest: Rest) -> int:
    return int((await call(rest, "GET", "/burn-rate"))[1]["spent"])


async def test_each_step_of_a_life_is_created_and_a_late_one_is_seen(rest: Rest) -> None:
    for status, amount, effect in (("authorised", 19_725, "recorded"), ("settled", 20_125, "settled")):
        code, receipt = await report(rest, status, amount)
        assert (code, receipt["effect"]) == (201, effect)
    code, receipt = await report(rest, "pending")
    assert (code, receipt["effect"], receipt["reason"]) == (200, "none", "stale_status")
    assert (await report(rest, "authorised"))[1]["duplicate"] is True
    assert await spent(rest) == 20_125


async def test_metadata_that_looks_like_an_effect_does_not_make_a_late_one(rest: Rest) -> None:
    assert (await report(rest, metadata={"effect": "none"}))[0] == 201


async def test_the_same_status_and_revision_with_another_amount_is_refused(rest: Rest) -> None:
    await report(rest)
    code, problem = await report(rest, amount=20_125)
    assert (code, problem["type"]) == (422, "/problems/key-reused")
    assert (await report(rest, amount=20_125, revision=1))[1]["effect"] == "amended"


async def test_an_own_entry_is_edited_and_deleted_and_stays_deleted(rest: Rest) -> None:
    made = (await report(rest))[1]["transaction_id"]
    code, shown = await call(rest, "PATCH", f"/transactions/{made}", {"amount": 20_125, "note": "a tip"})
    assert (code, shown["amount"], shown["note"]) == (200, 20_125, "a tip")
    assert await spent(rest) == 20_125
    assert await call(rest, "DELETE", f"/transactions/{made}") == (204, None)
    assert await spent(rest) == 0
    assert (await call(rest, "DELETE", f"/transactions/{made}"))[0] == 404
    code, receipt = await report(rest, revision=1)
    assert (code, receipt["effect"], receipt["reason"]) == (200, "none", "deleted")
    assert (await report(rest))[0] == 200
    assert await spent(rest) == 0


async def test_an_edit_of_an_amount_names_what_is_wrong(rest: Rest) -> None:
    made = (await report(rest))[1]["transaction_id"]
    code, problem = await call(rest, "PATCH", f"/transactions/{made}", {"amount": 0})
    assert (code, problem["errors"][0]["field"]) == (422, "amount")
    code, problem = await call(rest, "PATCH", f"/transactions/{made}", {"occurred_at": "2030-01-01T00:00:00Z"})
    assert (code, problem["errors"][0]["field"]) == (422, "occurred_at")


async def test_the_user_of_an_event_may_stand_in_the_query_but_not_be_two(rest: Rest) -> None:
    service = rest.bearer("wallet", "service")
    event = {"external_id": "Q1", "source": "card", "currency": "INR", "amount": 1_000}

    async def post(body: Any, path: str = "/transactions") -> tuple[int, Any]:
        answer = await rest.http.post(f"/api/v1{path}?user_id=ravi", json=body, headers=service)
        return answer.status_code, answer.json()

    assert (await post(event))[1]["user_id"] == "ravi"
    assert (await post({**event, "user_id": "ravi"}))[1]["duplicate"] is True
    code, problem = await post({**event, "user_id": "asha"})
    assert (code, problem["errors"][0]["field"]) == (422, "user_id")
    _, answer = await post([{**event, "external_id": "Q2"}, {**event, "user_id": "asha"}], "/transactions/batch")
    assert answer["results"][0]["user_id"] == "ravi"
    assert answer["results"][1]["errors"][0]["field"] == "user_id"
