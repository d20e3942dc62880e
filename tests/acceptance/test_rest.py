"""The REST contract as a wallet and a phone see it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.acceptance.boond import PASSWORD, Boond, purchase


def saved(client: httpx.Client) -> int:
    total: int = client.get("/overview").json()["total_saved"]
    return total


def head(client: httpx.Client) -> int:
    seq: int = client.get("/overview").json()["seq"]
    return seq


def test_a_spend_is_rounded_saved_budgeted_and_told(person: httpx.Client) -> None:
    jar = person.post("/jars", json={"name": "Goa", "target_amount": 1_000_000, "priority": 1}).json()
    person.put("/budgets/food", json={"limit": 20_000})
    answer = person.post("/transactions", json=purchase("T1", 19_725, category="food", merchant="Zomato"))
    receipt = answer.json()
    assert answer.status_code == 201
    assert (receipt["rounded_to"], receipt["saved_amount"]) == (20_000, 275)
    assert receipt["jar_postings"] == [{"jar_id": jar["jar_id"], "amount": 275}]
    assert next((a["type"], a["data"]["thresholds"]) for a in receipt["alerts"]) == ("budget_threshold", ["70", "90"])
    assert person.get(f"/jars/{jar['jar_id']}").json()["balance"] == 275
    budget = person.get("/budgets").json()["items"][0]
    assert (budget["spent"], budget["percent"], budget["left"]) == (19_725, 98, 275)
    alerts = person.get("/alerts").json()["items"]
    assert alerts[-1]["seq"] == receipt["seq"]


def test_the_same_event_twice_is_one_effect_and_the_same_receipt(person: httpx.Client) -> None:
    first = person.post("/transactions", json=purchase("T1", 19_725)).json()
    again = person.post("/transactions", json=purchase("T1", 19_725))
    assert again.status_code == 200
    assert again.json() == {**first, "duplicate": True}
    assert saved(person) == 275


def test_the_same_event_with_another_body_is_refused(person: httpx.Client) -> None:
    person.post("/transactions", json=purchase("T1", 19_725))
    before = head(person)
    answer = person.post("/transactions", json=purchase("T1", 19_726))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert head(person) == before


def test_twins_sent_at_once_are_one_effect(person: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: person.post("/transactions", json=purchase("TWIN", 19_725)), range(8)))
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["transaction_id"] for a in answers}) == 1
    assert saved(person) == 275


BAD: list[dict[str, Any]] = [
    {"amount": -1},
    {"amount": 0},
    {"amount": 1.5},
    {"amount": "12"},
    {"amount": None},
    {"amount": 10**19},
    {"currency": "XXQ"},
    {"currency": " "},
    {"external_id": ""},
    {"external_id": "a\x00b"},
    {"merchant": "a\x00b"},
    {"occurred_at": "yesterday"},
    {"occurred_at": "2026-11-20T10:00:00"},
    {"occurred_at": "2999-01-01T00:00:00Z"},
    {"occurred_at": "1800-01-01T00:00:00Z"},
    {"colour": "red"},
    {"kind": "gift"},
    {"kind": "income", "direction": "debit"},
    {"category": "no such slug!"},
    {"metadata": {"a": {"b": 1}}},
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: next(iter(bad)) + "=" + repr(next(iter(bad.values())))[:20])
def test_bad_input_names_the_field_and_changes_nothing(
    boond: Boond, bad: dict[str, Any], bad_input_person: tuple[httpx.Client, int]
) -> None:
    client, before = bad_input_person
    answer = client.post("/transactions", json={**purchase("BAD", 100), **bad})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"].split(".")[0].split("[")[0] in {*bad, "direction"}
    assert head(client) == before


@pytest.fixture(scope="module")
def bad_input_person(boond: Boond) -> tuple[httpx.Client, int]:
    client = boond.client(boond.sign_up("bad.input@example.com")["access_token"])
    return client, head(client)


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b"{", 400), (b"\xff\xfe", 400), (b"[]", 422), (b'{"a":' + b"9" * 70_000, 413)]
)
def test_a_body_that_is_no_json_or_too_large_is_a_problem(boond: Boond, content: bytes, status: int) -> None:
    client = boond.client(boond.token("malformed"))
    answer = client.post("/transactions", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_unknown_paths_and_methods_are_problems(boond: Boond) -> None:
    for method, path, status in (("GET", "/no/such", 404), ("PUT", "/transactions", 405)):
        answer = boond.client().request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_without_a_token_nothing_is_shown(boond: Boond) -> None:
    for path in ("/profile", "/jars", "/transactions", "/overview"):
        answer = boond.client().get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert boond.client("not.a.token").get("/jars").status_code == 401


def test_anothers_objects_are_unknown(boond: Boond, person: httpx.Client) -> None:
    jar = person.post("/jars", json={"name": "Mine"}).json()["jar_id"]
    transaction = person.post("/transactions", json=purchase("T1", 100)).json()["transaction_id"]
    other = boond.client(boond.sign_up("other.person@example.com")["access_token"])
    assert other.get(f"/jars/{jar}").status_code == 404
    assert other.patch(f"/jars/{jar}", json={"name": "x"}).status_code == 404
    assert other.delete(f"/jars/{jar}").status_code == 404
    assert other.post(f"/jars/{jar}/deposit", json={"amount": 1}).status_code == 404
    assert other.get(f"/transactions/{transaction}").status_code == 404
    assert other.patch(f"/transactions/{transaction}", json={"note": "x"}).status_code == 404
    assert other.post("/transactions", json=purchase("T", 1, user_id=person.headers["X-User"])).status_code == 403


def test_a_batch_answers_each_event_in_order(wallet: httpx.Client, person: httpx.Client) -> None:
    user = person.headers["X-User"]
    events = [purchase(f"B{i}", 19_725 + i, user_id=user) for i in range(50)]
    events[7] = purchase("B7", -1, user_id=user)
    events[9] = purchase("B9", 100)
    events[11] = events[10]
    results = wallet.post("/transactions/batch", json=events).json()["results"]
    assert len(results) == 50
    assert results[7]["status"] == 422
    assert results[9]["errors"][0]["field"] == "user_id"
    assert results[11] == {**results[10], "duplicate": True}
    recorded = [r for r in results if "seq" in r and not r["duplicate"]]
    seqs = [r["seq"] for r in recorded]
    assert len(seqs) == 47
    assert seqs == sorted(set(seqs)), "in order; what the host reports meanwhile takes a turn in between"
    assert recorded[0]["transaction"]["origin"] == "service:wallet"


def test_a_users_own_entry_never_occupies_a_wallets_id(wallet: httpx.Client, person: httpx.Client) -> None:
    person.post("/transactions", json=purchase("SAME", 1_000))
    answer = wallet.post("/transactions", json=purchase("SAME", 2_000, user_id=person.headers["X-User"]))
    assert answer.status_code == 201


def test_a_service_opens_an_unknown_user_with_auto_saving_off(wallet: httpx.Client) -> None:
    receipt = wallet.post("/transactions", json=purchase("T1", 19_725, user_id="nobody-yet")).json()
    assert receipt["skipped_reason"] == "off"
    assert receipt["seq"] == 2


def test_an_idempotency_key_replays_the_answer(person: httpx.Client) -> None:
    key = {"Idempotency-Key": '"make-a-jar"'}
    first = person.post("/jars", json={"name": "Goa"}, headers=key)
    again = person.post("/jars", json={"name": "Goa"}, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.json()) == (201, first.json())
    assert person.post("/jars", json={"name": "Pune"}, headers=key).status_code == 422
    assert len(person.get("/jars").json()["items"]) == 2


def test_transactions_are_listed_newest_first_in_pages(person: httpx.Client) -> None:
    for i in range(7):
        when = f"2026-11-1{i}T09:00:00Z"
        person.post("/transactions", json=purchase(f"T{i}", 1_000 + i, occurred_at=when, merchant=f"Shop {i}"))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = person.get("/transactions", params=query).json()
        seen += [t["external_id"] for t in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"T{i}" for i in reversed(range(7))]
    between = person.get("/transactions", params={"from": "2026-11-12", "to": "2026-11-13"}).json()["items"]
    assert [t["external_id"] for t in between] == ["T3", "T2"]
    assert [t["external_id"] for t in person.get("/transactions", params={"q": "shop 4"}).json()["items"]] == ["T4"]


def test_a_new_category_moves_the_spend_between_budgets(person: httpx.Client) -> None:
    person.put("/budgets/food", json={"limit": 100_000})
    person.put("/budgets/travel", json={"limit": 100_000})
    bought = person.post("/transactions", json=purchase("T1", 19_725, category="food")).json()
    answer = person.patch(f"/transactions/{bought['transaction_id']}", json={"category": "travel", "note": "taxi"})
    edited = answer.json()
    assert (edited["category"], edited["category_by"], edited["note"]) == ("travel", "user", "taxi")
    spent = {b["category"]: b["spent"] for b in person.get("/budgets").json()["items"]}
    assert spent == {"food": 0, "travel": 19_725}
    assert person.get(f"/transactions/{bought['transaction_id']}").json() == edited


def test_a_jar_that_holds_money_is_deleted_only_into_another(person: httpx.Client) -> None:
    jar = person.post("/jars", json={"name": "Goa"}).json()["jar_id"]
    assert person.post(f"/jars/{jar}/deposit", json={"amount": 5_000}).status_code == 201
    refused = person.delete(f"/jars/{jar}")
    assert (refused.status_code, refused.json()["balance"]) == (409, 5_000)
    default = next(j["jar_id"] for j in person.get("/jars").json()["items"] if j["is_default"])
    assert person.delete(f"/jars/{jar}", params={"move_to": default}).status_code == 204
    assert person.get(f"/jars/{default}").json()["balance"] == 5_000


def test_a_jar_says_what_moved_in_it_and_why(person: httpx.Client) -> None:
    jar = person.post("/jars", json={"name": "Goa", "priority": 1}).json()["jar_id"]
    for i in range(5):
        person.post("/transactions", json=purchase(f"T{i}", 19_725))
    person.post(f"/jars/{jar}/deposit", json={"amount": 5_000})
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = person.get(f"/jars/{jar}/activity", params=query).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [(entry["type"], entry["amount"]) for entry in seen] == [("deposit", 5_000), *[("round_up", 275)] * 5]
    assert person.get("/jars/nobodys/activity").status_code == 404


def test_a_refund_gives_back_budget_and_round_up_and_is_seen_on_its_purchase(person: httpx.Client) -> None:
    person.put("/budgets/food", json={"limit": 100_000})
    bought = person.post("/transactions", json=purchase("T1", 19_725, category="food")).json()
    given = {**purchase("R1", 9_725), "kind": "refund", "direction": "credit", "original_external_id": "T1"}
    receipt = person.post("/transactions", json=given).json()
    assert (receipt["effect"], receipt["category"], receipt["saved_amount"]) == ("refunded", "food", 0)
    jar = bought["jar_postings"][0]["jar_id"]
    assert receipt["jar_postings"] == [{"jar_id": jar, "amount": -136}]
    assert [line["spent"] for line in receipt["budgets"]] == [10_000]
    assert person.get(f"/transactions/{bought['transaction_id']}").json()["refunded_amount"] == 9_725
    assert person.get(f"/transactions/{receipt['transaction_id']}").json() == receipt["transaction"]
    assert saved(person) == 139
    moved = person.get(f"/jars/{jar}/activity").json()["items"]
    assert [(entry["type"], entry["amount"]) for entry in moved] == [("round_up_reversed", -136), ("round_up", 275)]
    again = person.post("/transactions", json=given)
    assert (again.status_code, again.json()) == (200, {**receipt, "duplicate": True})
    before = head(person)
    too_much = person.post("/transactions", json={**given, "external_id": "R2", "amount": 10_001})
    assert (too_much.status_code, too_much.json()["remaining"]) == (422, 10_000)
    assert head(person) == before
    early = {**given, "external_id": "R3", "original_external_id": "T3"}
    assert person.post("/transactions", json=early).json()["transaction"]["flags"] == ["parked"]
    late = person.post("/transactions", json=purchase("T3", 19_725, category="food")).json()
    assert late["transaction"]["refunded_amount"] == 9_725
    income = person.post("/transactions", json={**purchase("C1", 5_000), "kind": "income"}).json()
    link = {"refund_of": late["transaction_id"]}
    linked = person.patch(f"/transactions/{income['transaction_id']}", json=link).json()
    assert (linked["kind"], linked["refund_of"]) == ("refund", late["transaction_id"])
    assert person.get("/budgets").json()["items"][0]["spent"] == 10_000 + 10_000 - 5_000


def test_the_travel_apps_expense_needs_consent(person: httpx.Client) -> None:
    expense = {
        "userId": person.headers["X-User"],
        "source": "qris",
        "externalId": "Q1",
        "amount": 19_725,
        "currency": "INR",
        "date": "2026-11-20",
        "merchant": "Warung",
        "consentGiven": False,
    }
    assert person.post("/expenses/sync-transaction", json=expense).status_code == 403
    receipt = person.post("/expenses/sync-transaction", json={**expense, "consentGiven": True})
    assert receipt.status_code == 201
    assert receipt.json()["transaction"]["source"] == "qris"


def test_settings_are_changed_field_by_field(person: httpx.Client) -> None:
    changed = person.patch("/profile", json={"rounding": {"unit": 5_000}, "monthly_budget": 3_000_000}).json()
    assert (changed["rounding"]["unit"], changed["rounding"]["multiplier"], changed["monthly_budget"]) == (
        5_000,
        1,
        3_000_000,
    )
    again = person.patch("/profile", json={"rounding": {"multiplier": 2}}).json()
    assert (again["rounding"]["unit"], again["rounding"]["multiplier"]) == (5_000, 2)
    assert person.patch("/profile", json={"rounding": {"unit": 1}}).status_code == 422
    assert person.patch("/profile", json={"time_zone": "Mars/Base"}).status_code == 422
    receipt = person.post("/transactions", json=purchase("T1", 19_725)).json()
    assert (receipt["rounded_to"], receipt["base_saved"], receipt["boost_saved"]) == (20_000, 275, 275)


def test_log_in_refresh_and_log_out(boond: Boond) -> None:
    boond.sign_up("tokens@example.com")
    client = boond.client()
    assert client.post("/login", json={"email": "tokens@example.com", "password": "wrong"}).status_code == 401
    again = client.post("/signup", json={"email": "Tokens@Example.com", "password": PASSWORD, "name": "A"})
    assert again.status_code == 409
    tokens = client.post("/login", json={"email": "tokens@example.com", "password": PASSWORD}).json()
    renewed = client.post("/token/refresh", json={"refresh_token": tokens["refresh_token"]}).json()
    assert boond.client(renewed["access_token"]).get("/profile").json()["name"] == "Asha"
    assert client.post("/logout", json={"refresh_token": renewed["refresh_token"]}).status_code == 204
    assert client.post("/token/refresh", json={"refresh_token": renewed["refresh_token"]}).status_code == 401


def test_the_document_names_every_path_that_answers(boond: Boond, wallet: httpx.Client) -> None:
    client, operator = boond.client(boond.token("reader")), boond.client(boond.token("operator", "admin"))
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        if "get" in operations and "{" not in path and "live" not in path and "real-time" not in path:
            asker = operator if "sandbox" in path else wallet if path.endswith("/feed") else client
            answer = asker.get(path.removeprefix("/api/v1"))
            assert answer.status_code == 200, (path, answer.text)
    assert "Boond API" in client.get("/docs").text


def test_readiness_names_the_parts(boond: Boond) -> None:
    ready = boond.client().get("/health/ready").json()
    assert ready["status"] == "ready"
    assert {"postgres", "shards"} <= set(ready["parts"])


def test_many_people_at_once_keep_their_own_money(boond: Boond, wallet: httpx.Client) -> None:
    users = [f"crowd-{i}" for i in range(20)]
    headers = {"Authorization": wallet.headers["Authorization"]}

    async def pay() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=f"{boond.url}/api/v1", headers=headers, timeout=30) as client:
            calls = [
                client.post("/transactions", json=purchase(f"{u}-{i}", 1_000 + i, user_id=u))
                for i in range(10)
                for u in users
            ]
            return await asyncio.gather(*calls)

    answers = asyncio.run(pay())
    assert {a.status_code for a in answers} == {201}
    for user in users:
        page = wallet.get("/transactions", params={"user_id": user, "limit": "500"}).json()["items"]
        assert sorted(t["amount"] for t in page) == [1_000 + i for i in range(10)]
