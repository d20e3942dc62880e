"""Money into a jar and out of it, through the sandbox host of the embedded default."""

import json
from typing import Any

import httpx

from tests.acceptance.boond import Boond, until


def jar(person: httpx.Client) -> dict[str, Any]:
    one: dict[str, Any] = person.get("/jars").json()["items"][0]
    return one


def code_of(boond: Boond, challenge_id: str) -> str:
    """Return the code that `DATA/outbox` holds for a challenge."""
    found: list[str] = []

    def sent() -> bool:
        for file in (boond.data / "outbox").glob("*.jsonl"):
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            found.extend(line["code"] for line in lines if line.get("challenge_id") == challenge_id)
        return bool(found)

    until(sent, "a code in DATA/outbox", 5)
    return found[0]


def test_a_deposit_is_available_within_a_second_and_goes_out_by_a_code(boond: Boond, person: httpx.Client) -> None:
    jar_id = jar(person)["jar_id"]
    assert person.post(f"/jars/{jar_id}/deposit", json={"amount": 50_000}).status_code == 201
    until(lambda: bool(jar(person)["available"] == 50_000), "a deposit that is available", 1)
    asked = person.post(f"/jars/{jar_id}/withdraw", json={"amount": 20_000})
    assert asked.status_code == 202
    body = {"challenge_id": asked.json()["challenge_id"], "code": code_of(boond, asked.json()["challenge_id"])}
    confirmed = person.post(f"/jars/{jar_id}/withdraw/confirm", json=body)
    assert confirmed.status_code == 200
    assert person.post(f"/jars/{jar_id}/withdraw/confirm", json=body).content == confirmed.content
    until(lambda: bool(jar(person)["balance"] == 30_000), "a withdrawal that is paid out", 5)
    assert {one["status"] for one in person.get("/instructions").json()["items"]} == {"done"}


def test_the_wallet_sees_what_was_moved(boond: Boond, person: httpx.Client, wallet: httpx.Client) -> None:
    jar_id = jar(person)["jar_id"]
    person.post(f"/jars/{jar_id}/deposit", json={"amount": 1_234})
    until(lambda: bool(jar(person)["available"] == 1_234), "a deposit that is available", 1)
    (mine,) = person.get("/instructions").json()["items"]
    assert mine["instruction_id"] in {one["instruction_id"] for one in everything(wallet)}
    again = {"status": "done", "reference": mine["reference"]}
    line = f"/instructions/{mine['instruction_id']}/result"
    assert wallet.post(line, json=again).json() == mine
    assert wallet.post(line, json={"status": "failed"}).status_code == 409


def everything(wallet: httpx.Client) -> list[dict[str, Any]]:
    """Return every instruction of the tenant, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = wallet.get("/instructions", params={"limit": 500, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
