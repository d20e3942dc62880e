"""Transfers and duplicates over REST: matched and merged by themselves, confirmed and vetoed by the person."""

from asyncio import sleep, timeout
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.rest import Rest, serving

AT = "2026-11-20T08:00:00Z"


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as served:
        yield served


async def sent(rest: Rest, external_id: str, **more: Any) -> Any:
    body = {"external_id": external_id, "source": "upi", "amount": 20_000, "currency": "INR", "occurred_at": AT, **more}
    answer = await rest.http.post("/api/v1/transactions", json=body, headers=rest.bearer())
    assert answer.status_code == 201, answer.text
    return answer.json()


async def account(rest: Rest, name: str) -> str:
    body = {"name": name, "type": "bank", "currency": "INR"}
    answer = await rest.http.post("/api/v1/accounts", json=body, headers=rest.bearer())
    return str(answer.json()["account_id"])


async def spent(rest: Rest) -> int:
    return int((await rest.http.get("/api/v1/burn-rate", headers=rest.bearer())).json()["spent"])


async def test_a_person_matches_two_legs_and_takes_it_back(rest: Rest) -> None:
    leg = await sent(rest, "OUT", account_id=await account(rest, "HDFC"), merchant="Axis", category="food")
    other = await sent(rest, "IN", account_id=await account(rest, "Axis"), kind="income")
    assert other["transaction"]["flags"] == ["possible_transfer"]
    path = f"/api/v1/transactions/{other['transaction_id']}/transfer-match"
    body = {"other_id": leg["transaction_id"]}
    matched = await rest.http.post(path, json=body, headers=rest.bearer())
    assert (matched.status_code, matched.json()["kind"], matched.json()["flags"]) == (200, "transfer", ["own_transfer"])
    assert matched.json()["transfer"]["other_id"] == leg["transaction_id"]
    assert await spent(rest) == 0
    assert (await rest.http.post(path, json=body, headers=rest.bearer())).status_code == 409
    vetoed = await rest.http.delete(path, headers=rest.bearer())
    assert (vetoed.status_code, vetoed.json()["kind"], vetoed.json()["transfer"]) == (200, "income", None)
    assert (await rest.http.delete(path, headers=rest.bearer())).status_code == 404


async def test_a_person_merges_two_reports_and_takes_it_back(rest: Rest) -> None:
    first = await sent(rest, "A", source="sms")
    second = await sent(rest, "B", source="bank")
    assert await spent(rest) == 40_000
    path = f"/api/v1/transactions/{second['transaction_id']}/duplicate-of"
    merged = await rest.http.post(path, json={"other_id": first["transaction_id"]}, headers=rest.bearer())
    assert (merged.status_code, merged.json()["status"]) == (200, "duplicate")
    assert await spent(rest) == 20_000
    undone = await rest.http.delete(path, headers=rest.bearer())
    assert (undone.status_code, undone.json()["status"]) == (200, "settled")
    assert await spent(rest) == 40_000


async def test_one_payment_from_two_sources_counts_once(rest: Rest) -> None:
    first = await sent(rest, "A", source="sms", reference="423456789012")
    body = {"external_id": "B", "source": "bank", "amount": 20_000, "currency": "INR", "reference": "423456789012"}
    second = await rest.http.post("/api/v1/transactions", json=body | {"occurred_at": AT}, headers=rest.bearer())
    receipt = second.json()
    assert (second.status_code, receipt["effect"], receipt["reason"]) == (200, "none", "duplicate_of")
    assert receipt["transaction"]["duplicate"]["of"] == first["transaction_id"]
    assert await spent(rest) == 20_000


@pytest.mark.parametrize("word", ["transfer-match", "duplicate-of"])
async def test_what_is_not_there_or_badly_named_is_refused(rest: Rest, word: str) -> None:
    known = (await sent(rest, "A"))["transaction_id"]
    path = f"/api/v1/transactions/{known}/{word}"
    for body, status in (({"other_id": "none"}, 422), ({"other": known}, 422), ({"other_id": known}, 422)):
        assert (await rest.http.post(path, json=body, headers=rest.bearer())).status_code == status
    unknown = f"/api/v1/transactions/none/{word}"
    assert (await rest.http.post(unknown, json={"other_id": known}, headers=rest.bearer())).status_code == 404
    assert (await rest.http.delete(unknown, headers=rest.bearer())).status_code == 404
    other = rest.bearer("ravi")
    assert (await rest.http.post(path, json={"other_id": known}, headers=other)).status_code == 404


async def test_two_legs_are_matched_by_the_running_shard(rest: Rest) -> None:
    await sent(rest, "OUT", account_id=await account(rest, "HDFC"), kind="p2p")
    assert await spent(rest) == 20_000
    await sent(rest, "IN", account_id=await account(rest, "Axis"), kind="income")
    async with timeout(10):
        while await spent(rest):
            await sleep(0.01)
