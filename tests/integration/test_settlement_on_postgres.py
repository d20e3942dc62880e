"""What a host sees of all users of its tenant: instructions, and the reconciliation of a day."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.connections import pool
from actors.host_statements import HostStatements
from actors.postgres import PostgresJournal
from actors.read_model import ReadModel
from engine import commands as c
from engine.behaviour import Rows
from tests.support.person import BEHAVIOUR, Person
from tests.support.rest import Rest, serving
from tests.support.rows import turn

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
SERVICE: dict[str, Any] = {"user": "wallet", "role": "service"}


def person(user_id: str, *amounts: int) -> Person:
    """Return somebody who deposited each amount, a minute apart."""
    one = Person(entity_id=f"main/{user_id}", at=AT)
    for number, amount in enumerate(amounts):
        one.do(c.DepositToJar(jar_id=one.jar_id("Savings"), amount=amount), AT + timedelta(minutes=number))
    return one


def rows_of(one: Person) -> Rows:
    """Return what the last state of each of a person's instructions is in the list."""
    records = {row.record_id: row for t in one.turns for row in BEHAVIOUR.rows(t).records}
    return Rows(records=list(records.values()))


def waiting(one: Person, number: int = 0) -> str:
    return list(one.state.settlement.open)[number]


@pytest.fixture
async def rest(database_url: str, tmp_path: Path) -> AsyncIterator[Rest]:
    asha, ravi = person("asha", 100, 200), person("ravi", 300)
    done = waiting(asha)
    asha.do(c.ReportResult(instruction_id=done, status="done", reference="UTR1", at=AT + timedelta(hours=1)), AT)
    journal = PostgresJournal(database_url)
    term = await journal.claim(0, 1, "a")
    people = [("main/asha", asha), ("main/ravi", ravi), ("other/ravi", person("ravi", 400))]
    await journal.commit(0, term, [turn(entity_id, 1, rows=rows_of(one)) for entity_id, one in people])
    await journal.close()
    async with (
        pool(database_url, "test") as connections,
        serving(tmp_path, ReadModel(connections, BEHAVIOUR), HostStatements(connections)) as served,
    ):
        yield served


async def test_a_host_lists_what_waits_over_all_users_of_its_tenant_page_by_page(rest: Rest) -> None:
    first = await rest.http.get("/api/v1/instructions?status=open&limit=1", headers=rest.bearer(**SERVICE))
    (one,) = first.json()["items"]
    assert (one["user_id"], one["amount"], one["ready"]) == ("ravi", 300, True)
    line = f"/api/v1/instructions?status=open&cursor={first.json()['next_cursor']}"
    rest_of_it = (await rest.http.get(line, headers=rest.bearer(**SERVICE))).json()
    assert [one["amount"] for one in rest_of_it["items"]] == [200]
    assert rest_of_it["next_cursor"] is None


async def test_a_result_needs_no_user_and_reaches_none_of_another_tenant(rest: Rest) -> None:
    listed = (await rest.http.get("/api/v1/instructions", headers=rest.bearer(**SERVICE))).json()["items"]
    assert sorted(one["amount"] for one in listed) == [100, 200, 300]
    line = "/api/v1/instructions/nothing/result"
    assert (await rest.http.post(line, json={"status": "done"}, headers=rest.bearer(**SERVICE))).status_code == 404


async def test_a_day_is_compared_with_the_statement_of_the_host(rest: Rest) -> None:
    path, who = "/api/v1/reconciliations/2026-11-20", rest.bearer(**SERVICE)
    before = (await rest.http.get(path, headers=who)).json()
    assert before["here"] == [{"currency": "INR", "debits": 100, "payouts": 0, "count": 1}]
    assert [one["amount"] for one in before["waiting"]] == [300, 200]
    assert (before["statement_at"], before["agreed"], before["differences"]) == (None, None, None)
    ravis = before["waiting"][0]["instruction_id"]
    items = [
        {"reference": "UTR1", "amount": 99, "currency": "INR", "status": "done"},
        {"instruction_id": ravis, "amount": 300, "currency": "INR", "status": "done"},
        {"instruction_id": "x", "amount": 1, "currency": "INR", "status": "done"},
    ]
    stated = (await rest.http.post(path, json={"items": items}, headers=who)).json()
    assert [one["kind"] for one in stated["differences"]] == ["amount_differs", "status_differs", "missing_here"]
    assert (await rest.http.get(path, headers=who)).json() == stated
    mended = await rest.http.post(path, json={"items": [{**items[0], "amount": 100}]}, headers=who)
    assert (mended.json()["agreed"], mended.json()["differences"]) == (1, [])
    elsewhere = (await rest.http.get("/api/v1/reconciliations/2026-11-19", headers=who)).json()
    assert (elsewhere["here"], elsewhere["waiting"]) == ([], [])


async def test_who_may_reconcile_and_what_a_line_must_name(rest: Rest) -> None:
    path = "/api/v1/reconciliations/2026-11-20"
    assert (await rest.http.get(path, headers=rest.bearer())).status_code == 403
    assert (await rest.http.get(path.replace("-20", "-32"), headers=rest.bearer(**SERVICE))).status_code == 422
    line = {"amount": 1, "currency": "INR", "status": "done"}
    refused = await rest.http.post(path, json={"items": [line]}, headers=rest.bearer(**SERVICE))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "items[0]")


def test_a_row_of_the_list_is_what_the_user_sees() -> None:
    one = person("asha", 100)
    (row,) = rows_of(one).records
    assert msgspec.msgpack.decode(row.sealed)["instruction_id"] == waiting(one)
