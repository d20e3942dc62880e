"""Money as it really moves, as a wallet, a person and a host see it: from outside, by the wire contract alone."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from serve.client import connect
from tests.acceptance.boond import Boond, purchase, until


def jar_of(client: httpx.Client, **fields: Any) -> str:
    answer = client.post("/jars", json={"name": "Goa", "priority": 1, **fields})
    assert answer.status_code == 201, answer.text
    jar_id: str = answer.json()["jar_id"]
    return jar_id


def jar(client: httpx.Client, jar_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/jars/{jar_id}").json()
    return found


def funded(client: httpx.Client, amount: int, **fields: Any) -> str:
    """Return a jar that holds settled money: the sandbox host executes what was promised at once."""
    jar_id = jar_of(client, **fields)
    assert client.post(f"/jars/{jar_id}/deposit", json={"amount": amount}).status_code == 201
    until(lambda: jar(client, jar_id)["available"] == amount, "the sandbox host to settle")
    return jar_id


def code_sent(boond: Boond, user_id: str, challenge_id: str) -> str:
    """Return the code on the last line that was sent to a user."""
    found: list[str] = []

    def sent() -> bool:
        for path in sorted((boond.data / "outbox").glob("*.jsonl")):
            assert path.stat().st_mode & 0o077 == 0, "nobody else may read a code"
            for line in path.read_text().splitlines():
                message = json.loads(line)
                if message["user_id"] == user_id and message.get("challenge_id", challenge_id) == challenge_id:
                    found.append(message["code"])
        return bool(found)

    until(sent, "the code to be sent")
    return found[-1]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def spent(client: httpx.Client, category: str = "food") -> tuple[int, int]:
    budget = next(b for b in client.get("/budgets").json()["items"] if b["category"] == category)
    return budget["spent"], budget["provisional"]


@pytest.fixture
def saver(person: httpx.Client) -> httpx.Client:
    """A person with a jar that comes first and a budget for food."""
    jar_of(person)
    person.put("/budgets/food", json={"limit": 100_000})
    return person


def first_jar(client: httpx.Client) -> dict[str, Any]:
    return next(j for j in client.get("/jars").json()["items"] if j["name"] == "Goa")


def send(client: httpx.Client, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = client.post("/transactions", json=body)
    assert answer.status_code == status, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def test_authorised_then_settled_with_a_tip(saver: httpx.Client) -> None:
    held = send(saver, purchase("A1", 19_725, category="food", status="authorised"))
    assert held["transaction"]["status"] == "authorised"
    assert held["transaction"]["round_up"]["state"] == "provisional"
    assert (first_jar(saver)["provisional"], first_jar(saver)["accrued"]) == (275, 0)
    assert spent(saver) == (19_725, 19_725)
    settled = send(saver, purchase("A1", 21_300, category="food", status="settled"))
    assert settled["transaction_id"] == held["transaction_id"]
    assert settled["effect"] == "settled"
    now = first_jar(saver)
    assert (now["provisional"], now["balance"]) == (0, 700)
    assert spent(saver) == (21_300, 0)


def test_settled_under_a_new_id(saver: httpx.Client) -> None:
    held = send(saver, purchase("P1", 10_100, category="food", status="authorised"))
    settled = send(saver, purchase("S1", 10_100, category="food", pending_external_id="P1", final=True))
    assert settled["transaction_id"] != held["transaction_id"]
    assert spent(saver) == (10_100, 0)
    assert [t["external_id"] for t in saver.get("/transactions").json()["items"]] == ["S1"]


def test_a_void_gives_everything_back_and_a_late_success_takes_it_again(saver: httpx.Client) -> None:
    send(saver, purchase("V1", 19_725, category="food", status="authorised"))
    voided = send(saver, purchase("V1", 19_725, category="food", status="voided"))
    assert voided["effect"] == "voided"
    assert spent(saver) == (0, 0)
    assert first_jar(saver)["balance"] == 0
    late = send(saver, purchase("V1", 19_725, category="food", status="settled"))
    assert late["effect"] == "settled"
    assert spent(saver) == (19_725, 0)


def test_a_status_behind_what_is_known_changes_nothing(saver: httpx.Client) -> None:
    send(saver, purchase("O1", 19_725, category="food"))
    stale = send(saver, purchase("O1", 19_725, category="food", status="authorised"), 200)
    assert (stale["effect"], stale["reason"]) == ("none", "stale_status")
    assert spent(saver) == (19_725, 0)


def test_a_higher_revision_amends(saver: httpx.Client) -> None:
    first = send(saver, purchase("R1", 19_725, category="food"))
    amended = send(saver, purchase("R1", 9_900, category="food", revision=1))
    assert (amended["transaction_id"], amended["effect"]) == (first["transaction_id"], "amended")
    assert amended["transaction"]["amount"] == 9_900
    assert spent(saver) == (9_900, 0)


def test_a_declined_payment_has_no_effect_and_may_carry_no_amount(saver: httpx.Client) -> None:
    send(saver, purchase("D1", 0, category="food", status="declined"))
    assert spent(saver) == (0, 0)
    assert first_jar(saver)["balance"] == 0


def test_refunds_in_parts_up_to_the_whole(saver: httpx.Client) -> None:
    bought = send(saver, purchase("F1", 19_725, category="food"))
    refund = {"kind": "refund", "direction": "credit", "original_external_id": "F1"}
    part = send(saver, purchase("F1-a", 9_725, **refund))
    assert part["effect"] == "refunded"
    assert spent(saver) == (10_000, 0)
    too_much = saver.post("/transactions", json=purchase("F1-b", 10_001, **refund))
    assert too_much.status_code == 422
    assert too_much.json()["errors"][0]["field"] == "amount"
    send(saver, purchase("F1-c", 10_000, **refund))
    assert spent(saver) == (0, 0)
    assert saver.get(f"/transactions/{bought['transaction_id']}").json()["refunded_amount"] == 19_725
    assert first_jar(saver)["balance"] == 0


def test_a_persons_own_entry_can_be_mended_and_deleted_for_good(saver: httpx.Client) -> None:
    entry = send(saver, purchase("E1", 19_725, category="food"))
    path = f"/transactions/{entry['transaction_id']}"
    mended = saver.patch(path, json={"amount": 9_900})
    assert mended.status_code == 200, mended.text
    assert mended.json()["amount"] == 9_900
    assert spent(saver) == (9_900, 0)
    assert saver.delete(path).status_code == 204
    assert spent(saver) == (0, 0)
    assert saver.get("/transactions").json()["items"] == []
    again = send(saver, purchase("E1", 19_725, category="food", revision=1), 200)
    assert again["effect"] == "none"
    assert spent(saver) == (0, 0)


def test_a_withdrawal_takes_the_second_factor(boond: Boond, person: httpx.Client) -> None:
    jar_id = funded(person, 50_000)
    asked = person.post(f"/jars/{jar_id}/withdraw", json={"amount": 20_000})
    assert asked.status_code == 202, asked.text
    challenge = asked.json()["challenge_id"]
    code = code_sent(boond, person.headers["X-User"], challenge)
    assert len(code) == 6
    confirm = f"/jars/{jar_id}/withdraw/confirm"
    refused = person.post(confirm, json={"challenge_id": challenge, "code": wrong(code)})
    assert (refused.status_code, refused.json()["tries_left"]) == (403, 4)
    done = person.post(confirm, json={"challenge_id": challenge, "code": code})
    assert done.status_code == 200, done.text
    assert (done.json()["jar_id"], done.json()["amount"]) == (jar_id, 20_000)
    again = person.post(confirm, json={"challenge_id": challenge, "code": code})
    assert (again.status_code, again.json()) == (200, done.json())
    assert person.post(confirm, json={"challenge_id": challenge, "code": wrong(code)}).status_code == 410
    until(lambda: jar(person, jar_id)["balance"] == 30_000, "the payout to be done")
    more = person.post(f"/jars/{jar_id}/withdraw", json={"amount": 30_001})
    assert more.status_code == 409
    log = boond.data.parent / f"{boond.data.name}.log"
    assert code not in log.read_text()


def test_the_sixth_try_is_one_too_many(boond: Boond, person: httpx.Client) -> None:
    jar_id = funded(person, 50_000)
    challenge = person.post(f"/jars/{jar_id}/withdraw", json={"amount": 20_000}).json()["challenge_id"]
    code = code_sent(boond, person.headers["X-User"], challenge)
    tries = [
        person.post(f"/jars/{jar_id}/withdraw/confirm", json={"challenge_id": challenge, "code": c}).status_code
        for c in [*[wrong(code)] * 5, code]
    ]
    assert tries == [403] * 5 + [429]
    assert jar(person, jar_id)["available"] == 50_000


def test_of_two_withdrawals_of_the_last_rupee_one_wins(boond: Boond, person: httpx.Client) -> None:
    jar_id = funded(person, 10_000)
    path = f"/jars/{jar_id}/withdraw"
    challenges = [person.post(path, json={"amount": 10_000}).json()["challenge_id"] for _ in range(2)]
    codes = [code_sent(boond, person.headers["X-User"], challenge) for challenge in challenges]

    def confirm(pair: tuple[str, str]) -> int:
        body = {"challenge_id": pair[0], "code": pair[1]}
        return person.post(f"{path}/confirm", json=body).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(confirm, zip(challenges, codes, strict=True)))
    assert sorted(statuses) == [200, 409]
    until(lambda: jar(person, jar_id)["balance"] == 0, "the payout to be done")


def test_a_locked_jar_pays_nothing_out_until_it_is_unlocked(boond: Boond, person: httpx.Client) -> None:
    jar_id, other = funded(person, 10_000), jar_of(person, name="Delhi")
    locked = person.post(f"/jars/{jar_id}/lock", json={"until": "2028-01-01T00:00:00+05:30"})
    assert locked.status_code == 200, locked.text
    assert jar(person, jar_id)["locked_until"] is not None
    assert person.post(f"/jars/{jar_id}/withdraw", json={"amount": 100}).status_code == 409
    assert person.post(f"/jars/{jar_id}/transfer", json={"amount": 100, "to_jar": other}).status_code == 409
    asked = person.post(f"/jars/{jar_id}/unlock")
    assert asked.status_code == 202, asked.text
    challenge = asked.json()["challenge_id"]
    body = {"challenge_id": challenge, "code": code_sent(boond, person.headers["X-User"], challenge)}
    assert person.post(f"/jars/{jar_id}/unlock/confirm", json=body).status_code == 200
    assert person.post(f"/jars/{jar_id}/withdraw", json={"amount": 100}).status_code == 409, "it takes 24 h"
    assert person.delete(f"/jars/{jar_id}/unlock").status_code in (200, 204)


def test_jars_pass_money_on_and_share_what_comes(person: httpx.Client) -> None:
    goa, delhi = funded(person, 10_000), jar_of(person, name="Delhi")
    moved = person.post(f"/jars/{goa}/transfer", json={"amount": 4_000, "to_jar": delhi})
    assert moved.status_code in (200, 201), moved.text
    assert (jar(person, goa)["balance"], jar(person, delhi)["balance"]) == (6_000, 4_000)
    assert person.post(f"/jars/{goa}/transfer", json={"amount": 6_001, "to_jar": delhi}).status_code == 409
    shares = {"mode": "percent", "shares": [{"jar_id": goa, "percent": 60}, {"jar_id": delhi, "percent": 40}]}
    assert person.put("/allocation", json=shares).status_code == 200
    bad = {**shares, "shares": [{"jar_id": goa, "percent": 60}, {"jar_id": delhi, "percent": 41}]}
    assert person.put("/allocation", json=bad).status_code == 422
    receipt = send(person, purchase("S1", 19_725, category="food"))
    assert {p["jar_id"]: p["amount"] for p in receipt["jar_postings"]} == {goa: 165, delhi: 110}
    kinds = [item["type"] for item in person.get(f"/jars/{goa}/activity").json()["items"]]
    assert kinds[0] == "round_up"
    assert len(kinds) >= 3


@pytest.fixture
def friend(boond: Boond, request: pytest.FixtureRequest) -> httpx.Client:
    """Another person."""
    signed_up = boond.sign_up(f"friend.{abs(hash(request.node.name))}@example.com", name="Ravi")
    client = boond.client(signed_up["access_token"])
    client.headers["X-User"] = signed_up["user_id"]
    return client


def test_friends_save_together_and_each_keeps_a_share(boond: Boond, person: httpx.Client, friend: httpx.Client) -> None:
    made = person.post("/groups", json={"name": "Trip", "target_amount": 100_000})
    assert made.status_code == 201, made.text
    group = f"/groups/{made.json()['group_id']}"
    assert friend.get(group).status_code == 404
    code = person.post(f"{group}/invites").json()["code"]
    assert friend.post("/groups/join", json={"code": code}).status_code in (200, 201)
    assert person.post(f"{group}/contributions", json={"amount": 3_000}).status_code == 201
    assert friend.post(f"{group}/contributions", json={"amount": 2_000}).status_code == 201
    until(lambda: friend.get(group).json()["balance"] == 5_000, "both contributions")
    shares = {m["user_id"]: m["share"] for m in person.get(group).json()["members"]}
    assert shares == {person.headers["X-User"]: 3_000, friend.headers["X-User"]: 2_000}
    jar_id = funded(person, 10_000)
    asked = person.post(f"{group}/contributions", json={"amount": 4_000, "from_jar": jar_id})
    assert asked.status_code == 202, asked.text
    challenge = asked.json()["challenge_id"]
    body = {"challenge_id": challenge, "code": code_sent(boond, person.headers["X-User"], challenge)}
    assert person.post(f"{group}/contributions/confirm", json=body).status_code in (200, 201)
    until(lambda: person.get(group).json()["balance"] == 9_000, "the jar's money")
    until(lambda: jar(person, jar_id)["balance"] == 6_000, "the jar to let go of it")
    assert friend.post(f"{group}/leave").status_code in (200, 202, 204)
    until(lambda: person.get(group).json()["balance"] == 7_000, "the share that left")
    assert friend.get(group).status_code == 404


def test_accounts_know_their_balance(person: httpx.Client) -> None:
    body = {"name": "Salary", "type": "bank", "currency": "INR", "balance": 500_000, "mask": "1234"}
    made = person.post("/accounts", json=body)
    assert made.status_code == 201, made.text
    account = made.json()["account_id"]
    assert person.get("/accounts").json()["items"][0]["balance"] == 500_000
    assert person.patch(f"/accounts/{account}", json={"balance": 400_000}).status_code == 200
    history = person.get(f"/accounts/{account}/balances").json()["items"]
    assert [entry["balance"] for entry in history] == [400_000], "the day's latest word"
    person.patch("/profile", json={"rounding": {"floor": 399_900}})
    receipt = send(person, purchase("B1", 19_725, account_id=account))
    assert receipt["skipped_reason"] == "floor"


def test_what_recurs_is_known_before_it_falls_due(person: httpx.Client) -> None:
    rent = {
        "name": "Rent",
        "amount": 1_500_000,
        "direction": "debit",
        "category": "housing",
        "rrule": "FREQ=MONTHLY;BYMONTHDAY=1",
        "starts_on": "2026-12-01",
        "remind_days_before": 2,
    }
    made = person.post("/recurring", json=rent)
    assert made.status_code == 201, made.text
    assert person.get("/recurring").json()["items"][0]["name"] == "Rent"
    bad = person.post("/recurring", json={**rent, "rrule": "FREQ=OFTEN"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "rrule"


def test_the_rest_of_the_second_set_answers(person: httpx.Client) -> None:
    for path in ("/badges", "/categories", "/summaries", "/challenges", "/accounts", "/groups", "/recurring"):
        answer = person.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert "items" in answer.json(), path
    made = person.post("/categories", json={"name": "Chai", "parent": "food"})
    assert made.status_code == 201, made.text


def test_a_host_sees_instructions_and_what_they_came_to(wallet: httpx.Client, person: httpx.Client) -> None:
    funded(person, 12_300)
    done = wallet.get("/instructions", params={"status": "done"})
    assert done.status_code == 200, done.text
    mine = [i for i in done.json()["items"] if i["user_id"] == person.headers["X-User"]]
    assert [(i["amount"], i["status"]) for i in mine] == [(12_300, "done")]
    assert person.post(f"/instructions/{mine[0]['instruction_id']}/result", json={"status": "done"}).status_code == 403
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert wallet.get(f"/reconciliations/{day}").status_code == 200


async def test_what_moves_arrives_on_the_socket(boond: Boond, person: httpx.Client) -> None:
    token = person.headers["Authorization"].removeprefix("Bearer ")
    async with asyncio.timeout(30), connect(boond.url, token) as live:
        body = purchase("L1", 19_725, category="food", status="authorised")
        await asyncio.to_thread(send, person, body)
        await asyncio.to_thread(send, person, {**body, "status": "settled"})
        effects: list[str] = []
        while len(effects) < 2:
            turn = await anext(live)
            effects += [event.data["effect"] for event in turn.events if event.type.startswith("transaction")]
        assert effects == ["recorded", "settled"]
