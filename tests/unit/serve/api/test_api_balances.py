"""Accounts over REST: linked, moved by events, stated, listed, removed; another's is a 404."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.rest import Rest, serving

ACCOUNTS = "/api/v1/accounts"


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as served:
        yield served


async def made(rest: Rest, **more: Any) -> Any:
    body = {"name": "HDFC", "type": "bank", "currency": "INR", "mask": "4242", "balance": 500_000, **more}
    answer = await rest.http.post(ACCOUNTS, json=body, headers=rest.bearer())
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_an_account_lives_over_rest(rest: Rest) -> None:
    account = await made(rest)
    assert (account["type"], account["mask"], account["balance"], account["estimated"]) == (
        "bank",
        "4242",
        500_000,
        False,
    )
    spend = {
        "external_id": "T1",
        "source": "upi",
        "amount": 19_725,
        "currency": "INR",
        "occurred_at": "2026-11-20T09:30:00Z",
    }
    spend["account_id"] = account["account_id"]
    assert (await rest.http.post("/api/v1/transactions", json=spend, headers=rest.bearer())).status_code == 201
    path = f"{ACCOUNTS}/{account['account_id']}"
    moved = (await rest.http.get(path, headers=rest.bearer())).json()
    assert (moved["balance"], moved["estimated"], moved["stated_balance"]) == (480_275, True, 500_000)
    edited = await rest.http.patch(path, json={"type": "wallet", "balance": 470_000}, headers=rest.bearer())
    assert (edited.json()["type"], edited.json()["name"], edited.json()["stated_balance"]) == (
        "wallet",
        "HDFC",
        470_000,
    )
    stated = (await rest.http.get(f"{path}/balances", headers=rest.bearer())).json()
    assert [one["balance"] for one in stated["items"]] == [470_000]
    listed = (await rest.http.get(ACCOUNTS, headers=rest.bearer())).json()
    assert [one["account_id"] for one in listed["items"]] == [account["account_id"]]
    assert (await rest.http.delete(path, headers=rest.bearer())).status_code == 204
    assert (await rest.http.get(path, headers=rest.bearer())).status_code == 404


async def test_anothers_account_is_a_404(rest: Rest) -> None:
    account = await made(rest)
    path = f"{ACCOUNTS}/{account['account_id']}"
    other = rest.bearer("ravi")
    asked = [
        await rest.http.get(path, headers=other),
        await rest.http.get(f"{path}/balances", headers=other),
        await rest.http.patch(path, json={"name": "mine"}, headers=other),
        await rest.http.delete(path, headers=other),
    ]
    assert [answer.status_code for answer in asked] == [404] * 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("type", "purse"), ("mask", "4111111111111111"), ("currency", "XBT"), ("balance", 1.5), ("colour", "red")],
)
async def test_a_bad_field_is_named(rest: Rest, field: str, value: Any) -> None:
    body = {"name": "HDFC", "type": "bank", "currency": "INR", field: value}
    answer = await rest.http.post(ACCOUNTS, json=body, headers=rest.bearer())
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"] or field in answer.json()["detail"]


async def test_the_pages_of_a_list_of_accounts_join_up(rest: Rest) -> None:
    names = [(await made(rest, name=f"A{number}"))["name"] for number in range(3)]
    first = (await rest.http.get(ACCOUNTS, params={"limit": 2}, headers=rest.bearer())).json()
    wanted = {"limit": 2, "cursor": first["next_cursor"]}
    second = (await rest.http.get(ACCOUNTS, params=wanted, headers=rest.bearer())).json()
    assert [one["name"] for one in first["items"] + second["items"]] == names[::-1]
    assert second["next_cursor"] is None
