"""What is answered is what `openapi.json` says: a walk whose every body and answer is held against its schema."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from actors.read_model import SealedRow
from engine.views import TransactionView
from tests.support.memory_journal import MemoryJournal
from tests.support.rest import Rest, serving

_READ = msgspec.msgpack.Decoder(TransactionView)


class Transactions:
    """The transactions of a memory journal, read as `ReadModel` does, without filters."""

    journal: MemoryJournal

    async def transactions(self, entity_id: str, *, limit: int, before: Any, **_: Any) -> list[SealedRow]:
        rows = [_row(raw) for (entity, _), raw in self.journal.store.transactions.items() if entity == entity_id]
        rows.sort(key=lambda row: (row.at, row.row_id), reverse=True)
        return [row for row in rows if before is None or (row.at, row.row_id) < before][:limit]

    async def transaction(self, entity_id: str, transaction_id: str) -> SealedRow | None:
        raw = self.journal.store.transactions.get((entity_id, transaction_id))
        return None if raw is None else _row(raw)


def _row(raw: bytes) -> SealedRow:
    view = _READ.decode(raw)
    return SealedRow(view.transaction_id, view.occurred_at, 1, raw)


class Walker:
    """Calls as a person; holds each body and answer against the document."""

    def __init__(self, rest: Rest, document: Mapping[str, Any]) -> None:
        self.rest, self.document = rest, document

    def _valid(self, schema: Mapping[str, Any], value: Any, what: str) -> None:
        whole = {**schema, "components": self.document["components"]}
        problems = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
        assert not problems, (what, [(list(p.absolute_path), p.message) for p in problems], value)

    async def call(self, line: str, body: Any = None, user: str = "asha", refused: int = 0, **path: str) -> Any:
        method, template = line.split()
        route = template.partition("?")[0]
        operation = self.document["paths"][f"/api/v1{route}"][method.lower()]
        if body is not None:
            self._valid(operation["requestBody"]["content"]["application/json"]["schema"], body, f"{line}: body")
        headers = self.rest.bearer(user, "service" if user == "wallet" else "user")
        answer = await self.rest.http.request(method, f"/api/v1{template.format(**path)}", json=body, headers=headers)
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, (line, answer.status_code, answer.text)
        assert answer.status_code == refused or (not refused and answer.is_success), (line, answer.text)
        if "content" not in described:
            assert answer.content == b"", (line, answer.text)
            return None
        media_type = answer.headers["content-type"]
        assert media_type in described["content"], (line, answer.status_code, media_type)
        value = answer.json()
        self._valid(described["content"][media_type]["schema"], value, f"{line}: {answer.status_code}")
        await self.rest.deliver_letters()
        return value


@pytest.fixture
async def walker(tmp_path: Path) -> AsyncIterator[Walker]:
    reads = Transactions()
    async with serving(tmp_path, read_model=reads) as rest:  # type: ignore[arg-type]
        reads.journal = rest.journal
        document = (await rest.http.get("/api/v1/openapi.json")).json()
        yield Walker(rest, document)


def spend(external_id: str, amount: int = 19_725, **more: Any) -> dict[str, Any]:
    return {"external_id": external_id, "source": "upi", "amount": amount, "currency": "INR", **more}


async def test_every_answer_of_a_walk_is_as_the_document_says(walker: Walker) -> None:
    call = walker.call
    await call("PATCH /profile", {"auto_saving": {"state": "on"}, "monthly_budget": 1_000_000})
    await call("GET /profile")
    goa = (await call("POST /jars", {"name": "Goa", "target_amount": 10_000, "deadline": "2027-05-01"}))["jar_id"]
    bike = (await call("POST /jars", {"name": "Bike", "plan": {"every": "week", "amount": 100}}))["jar_id"]
    await call("PUT /budgets/{category}", {"limit": 20_000}, category="food")
    first = await call("POST /transactions", spend("T1", category="food", merchant="Zomato"))
    again = await call("POST /transactions", spend("T1", category="food", merchant="Zomato"))
    assert again == {**first, "duplicate": True}
    await call("POST /transactions", spend("T2", 10_000, status="authorised", location={"lat": 1.5, "lng": 2.5}))
    await call("POST /transactions", spend("T2", 9_000))
    await call("POST /transactions", spend("T2", 9_000, status="pending"))
    await call("POST /transactions", spend("T2", 9_000, status="voided"))
    refund = spend("R1", 5_000, kind="refund", direction="credit", original_external_id="T1")
    await call("POST /transactions", refund)
    await call("POST /transactions", spend("T3", 0), refused=422)
    batch = await call("POST /transactions/batch", [spend("B1"), spend("B2", 0)])
    assert len(batch["results"]) == 2
    one = first["transaction_id"]
    await call("GET /transactions")
    await call("GET /transactions/{transaction_id}", transaction_id=one)
    await call("PATCH /transactions/{transaction_id}", {"note": "lunch", "category": "groceries"}, transaction_id=one)
    await call("GET /jars")
    await call("GET /jars/{jar_id}", jar_id=goa)
    await call("PATCH /jars/{jar_id}", {"priority": 3, "image_url": None}, jar_id=bike)
    await call("POST /jars/{jar_id}/deposit", {"amount": 20_000}, jar_id=goa)
    await call("POST /jars/{jar_id}/transfer", {"amount": 500, "to_jar": bike}, jar_id=goa)
    shares = [{"jar_id": goa, "percent": 60}, {"jar_id": bike, "percent": 40}]
    await call("PUT /allocation", {"mode": "percent", "shares": shares})
    await call("PUT /allocation", {"mode": "priority", "shares": [{"jar_id": bike, "priority": 1}]})
    await call("GET /allocation")
    for path in ("budgets", "burn-rate", "streaks", "badges", "overview", "mandates", "summaries", "recurring"):
        await call(f"GET /{path}")
    asked = await call("POST /jars/{jar_id}/withdraw", {"amount": 1_000, "destination": "asha@upi"}, jar_id=goa)
    sent = {"challenge_id": asked["challenge_id"], "code": walker.rest.code(asked["challenge_id"])}
    wrong = {**sent, "code": f"{(int(sent['code']) + 1) % 1_000_000:06}"}
    await call("POST /jars/{jar_id}/withdraw/confirm", wrong, refused=403, jar_id=goa)
    paid = await call("POST /jars/{jar_id}/withdraw/confirm", sent, jar_id=goa)
    assert (paid["jar_id"], paid["amount"]) == (goa, 1_000)
    assert await call("POST /jars/{jar_id}/withdraw/confirm", sent, jar_id=goa) == paid
    listed = await call("GET /instructions?status=done")
    await call("GET /instructions/{instruction_id}", instruction_id=listed["items"][0]["instruction_id"])
    await call("POST /jars/{jar_id}/lock", {"until": "2027-01-01"}, jar_id=goa)
    await call("POST /jars/{jar_id}/withdraw", {"amount": 1}, refused=409, jar_id=goa)
    asked = await call("POST /jars/{jar_id}/unlock", jar_id=goa)
    sent = {"challenge_id": asked["challenge_id"], "code": walker.rest.code(asked["challenge_id"])}
    await call("POST /jars/{jar_id}/unlock/confirm", sent, jar_id=goa)
    await call("DELETE /jars/{jar_id}/unlock", jar_id=goa)
    await call("DELETE /jars/{jar_id}", refused=409, jar_id=goa)
    await call("POST /sweeps", refused=409)


async def test_groups_accounts_schedules_and_challenges_answer_as_the_document_says(walker: Walker) -> None:
    call = walker.call
    made = await call("POST /groups", {"name": "Trip", "target_amount": 100_000, "deadline": "2027-01-01"})
    group = made["group_id"]
    code = (await call("POST /groups/{group_id}/invites", group_id=group))["code"]
    await call("POST /groups/join", {"code": code}, user="ben")
    await call("POST /groups/{group_id}/contributions", {"amount": 3_000}, group_id=group)
    await call("POST /groups/{group_id}/contributions", {"amount": 100}, user="ben", group_id=group)
    jar = (await call("POST /jars", {"name": "Goa"}))["jar_id"]
    await call("POST /jars/{jar_id}/deposit", {"amount": 5_000}, jar_id=jar)
    asked = await call("POST /groups/{group_id}/contributions", {"amount": 50, "from_jar": jar}, group_id=group)
    sent = {"challenge_id": asked["challenge_id"], "code": walker.rest.code(asked["challenge_id"])}
    await call("POST /groups/{group_id}/contributions/confirm", sent, group_id=group)
    await call("GET /groups")
    assert (await call("GET /groups/{group_id}", group_id=group))["balance"] == 3_150
    bought = await call("POST /groups/{group_id}/purchases", {"amount": 3_150}, group_id=group)
    where = {"group_id": group, "proposal_id": bought["proposal_id"]}
    await call("POST /groups/{group_id}/purchases/{proposal_id}/approve", {"amount": 50}, user="ben", **where)
    await call("POST /groups/{group_id}/purchases/{proposal_id}/approve", user="ben", **where)
    over = await call("POST /groups/{group_id}/purchases/{proposal_id}/reject", user="ben", refused=410, **where)
    assert (over["status"], over["state"]) == (410, "done")
    await call("GET /groups/{group_id}/purchases", group_id=group)
    await call("POST /groups/{group_id}/payouts", {"amount": 100}, refused=409, group_id=group)
    await call("POST /groups/{group_id}/contributions", {"amount": 3_000}, group_id=group)
    await call("POST /groups/{group_id}/contributions", {"amount": 3_000}, user="ben", group_id=group)
    await call("POST /groups/{group_id}/payouts", {"amount": 100}, group_id=group)
    await call("POST /groups/{group_id}/payouts", {}, group_id=group)
    await call("GET /groups/{group_id}/payouts", group_id=group)
    await call("POST /groups/{group_id}/leave", group_id=group, user="ben")
    await call("GET /groups/{group_id}", group_id=group, user="ben", refused=404)
    fields = {"name": "Salary", "type": "bank", "currency": "INR", "balance": 500_000, "mask": "1234"}
    account = (await call("POST /accounts", fields))["account_id"]
    await call("PATCH /accounts/{account_id}", {"balance": -4}, account_id=account)
    await call("GET /accounts")
    await call("GET /accounts/{account_id}", account_id=account)
    await call("GET /accounts/{account_id}/balances", account_id=account)
    rent = {
        "name": "Rent",
        "amount": 1_500_000,
        "direction": "debit",
        "category": "housing",
        "rrule": "FREQ=MONTHLY;BYMONTHDAY=1",
        "starts_on": "2026-12-01",
        "remind_days_before": 2,
    }
    schedule = (await call("POST /recurring", rent))["recurring_id"]
    await call("PATCH /recurring/{recurring_id}", {"amount": 1_600_000}, recurring_id=schedule)
    await call("GET /recurring")
    await call("DELETE /recurring/{recurring_id}", recurring_id=schedule)
    await call("POST /categories", {"name": "Chai", "parent": "food", "names": {"hi": "चाय"}})
    await call("GET /categories")
    await call("PATCH /categories/{slug}", {"name": "Tea"}, slug="chai")
    begun = await call("POST /challenges", {"kind": "no_spend_days", "days": 5, "within_days": 7})
    await call("GET /challenges")
    await call("POST /challenges/{challenge_id}/leave", challenge_id=begun["challenge_id"])
    await call("PUT /mandates", {"provider": "npci", "cap": 100_000})
    await call("GET /mandates")


LISTS = ("jars", "budgets", "badges", "groups", "accounts", "categories", "recurring", "challenges", "transactions")


async def test_every_list_comes_in_pages(walker: Walker) -> None:
    call = walker.call
    for name in ("goa", "bike"):
        await call("POST /jars", {"name": name})
        await call("PUT /budgets/{category}", {"limit": 1}, category=name)
        await call("POST /accounts", {"name": name, "type": "bank", "currency": "INR"})
        await call("POST /groups", {"name": name})
        await call("POST /transactions", spend(name))
        await call("POST /challenges", {"kind": "no_spend_days", "days": 5, "within_days": 7})
        rule = {"amount": 1, "direction": "debit", "category": "food", "rrule": "FREQ=DAILY"}
        await call("POST /recurring", {"name": name, "starts_on": "2026-12-01", **rule})
    for path in LISTS:
        await _paged(walker, f"GET /{path}")
    group = (await call("GET /groups"))["items"][0]["group_id"]
    await call("POST /groups/{group_id}/contributions", {"amount": 3_000}, group_id=group)
    code = (await call("POST /groups/{group_id}/invites", group_id=group))["code"]
    await call("POST /groups/join", {"code": code}, user="ben")
    for _ in range(2):
        await call("POST /groups/{group_id}/contributions", {"amount": 10}, user="ben", group_id=group)
        await call("POST /groups/{group_id}/purchases", {"amount": 3_001}, group_id=group)
    await _paged(walker, "GET /groups/{group_id}/purchases", group_id=group)
    for path in ("groups/{group_id}/payouts", "mandates", "summaries", "instructions"):
        one = await call(f"GET /{path}?limit=1", group_id=group)
        assert set(one) == {"items", "next_cursor"}


async def _paged(walker: Walker, line: str, group_id: str = "") -> None:
    whole = await walker.call(f"{line}?limit=500", group_id=group_id)
    assert len(whole["items"]) > 1, line
    assert whole["next_cursor"] is None
    read: list[Any] = []
    cursor = ""
    while len(read) < len(whole["items"]):
        page = await walker.call(f"{line}?limit=1{cursor}", group_id=group_id)
        read += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
    assert (read, page["next_cursor"]) == (whole["items"], None), line
    for bad in ("limit=0", "limit=501", "limit=x", "cursor=none", "colour=red"):
        await walker.call(f"{line}?{bad}", refused=422, group_id=group_id)
