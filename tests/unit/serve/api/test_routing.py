"""What surrounds every route: authentication, decoding, idempotency, problem documents."""

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import Unavailable
from actors.wire import decode_meta
from serve.api.app import ROUTES
from tests.support.rest import Rest, serving


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as served:
        yield served


def purchase(**more: Any) -> dict[str, Any]:
    return {"external_id": "T1", "source": "upi", "amount": 19_725, "currency": "INR", **more}


async def test_every_protected_route_asks_for_a_token(rest: Rest) -> None:
    for route in ROUTES:
        path = "/api/v1" + route.path.replace("{", "").replace("}", "")
        answer = await rest.http.request(route.method.value, path, json={})
        if route.public:
            assert answer.status_code != 401, route.path
        else:
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), route.path


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer x.y.z", "bearer " + "a" * 9_000])
async def test_a_credential_that_is_none_of_ours_is_a_401(rest: Rest, header: str) -> None:
    answer = await rest.http.get("/api/v1/overview", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_command_the_runtime_cannot_take_is_a_503_with_retry_after(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise Unavailable("20,000 commands wait for this shard", retry_after_s=3)

    monkeypatch.setattr("actors.client.Client.submit", full)
    answer = await rest.http.post("/api/v1/transactions", json=purchase(), headers=rest.bearer())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_readiness_names_the_part_that_is_not_ready(rest: Rest) -> None:
    answer = await rest.http.get("/api/v1/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"postgres": "ready", "shards": "not answering: TimeoutError"}


async def test_an_unknown_query_parameter_is_named(rest: Rest) -> None:
    answer = await rest.http.get("/api/v1/jars", params={"colour": "red"}, headers=rest.bearer())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "colour")


async def test_a_parameter_given_twice_is_refused(rest: Rest) -> None:
    answer = await rest.http.get("/api/v1/jars?limit=1&limit=2", headers=rest.bearer())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize("limit", ["0", "501", "many", "-1"])
async def test_a_page_has_1_to_500_items(rest: Rest, limit: str) -> None:
    answer = await rest.http.get("/api/v1/jars", params={"limit": limit}, headers=rest.bearer())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "caf\u00e9"])
async def test_an_idempotency_key_has_1_to_255_printable_characters(rest: Rest, key: str) -> None:
    headers = [
        (name.encode(), value.encode("latin-1")) for name, value in {**rest.bearer(), "Idempotency-Key": key}.items()
    ]
    answer = await rest.http.post("/api/v1/jars", json={"name": "Goa"}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_the_same_key_on_another_path_is_another_request(rest: Rest) -> None:
    headers = rest.bearer() | {"Idempotency-Key": "k"}
    jar = (await rest.http.post("/api/v1/jars", json={"name": "Goa"}, headers=headers)).json()["jar_id"]
    answer = await rest.http.post(f"/api/v1/jars/{jar}/deposit", json={"amount": 100}, headers=headers)
    assert answer.status_code == 201


async def test_a_body_may_be_left_out_where_every_field_has_a_default(rest: Rest) -> None:
    made = await rest.http.post("/api/v1/groups", json={"name": "Goa"}, headers=rest.bearer())
    invited = await rest.http.post(f"/api/v1/groups/{made.json()['group_id']}/invites", headers=rest.bearer())
    assert invited.status_code == 201
    assert invited.json()["code"]
    nameless = await rest.http.post("/api/v1/groups", headers=rest.bearer())
    assert nameless.status_code == 400


async def test_a_service_says_for_whom_it_acts(rest: Rest) -> None:
    service = rest.bearer("wallet", "service")
    missing = await rest.http.get("/api/v1/overview", headers=service)
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "user_id")
    answer = await rest.http.get("/api/v1/overview", params={"user_id": "bimo"}, headers=service)
    assert (answer.status_code, answer.json()["user_id"]) == (200, "bimo")


async def test_a_user_acts_only_for_itself(rest: Rest) -> None:
    for body in (purchase(user_id="bimo"), purchase(user_id="")):
        answer = await rest.http.post("/api/v1/transactions", json=body, headers=rest.bearer("asha"))
        assert answer.status_code == 403
    answer = await rest.http.get("/api/v1/overview", params={"user_id": "bimo"}, headers=rest.bearer("asha"))
    assert answer.status_code == 403


@pytest.mark.parametrize("user_id", ["", "a/b", "x" * 200, "a\x00b", "line\nbreak", "two words", "-a"])
async def test_a_user_id_is_one_a_token_could_carry(rest: Rest, user_id: str) -> None:
    body = purchase(user_id=user_id)
    answer = await rest.http.post("/api/v1/transactions", json=body, headers=rest.bearer("wallet", "service"))
    assert answer.status_code == 422


async def test_a_fault_nobody_foresaw_says_no_more_than_its_request_id(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret is 1234")

    monkeypatch.setattr("serve.envelopes.query", broken)
    headers = rest.bearer() | {"X-Request-Id": "req-7"}
    answer = await rest.http.get("/api/v1/overview", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "req-7" in answer.json()["detail"]
    assert "secret" not in answer.text


async def test_a_duplicate_is_200_with_the_first_receipt(rest: Rest) -> None:
    first = await rest.http.post("/api/v1/transactions", json=purchase(), headers=rest.bearer())
    again = await rest.http.post("/api/v1/transactions", json=purchase(kind="purchase"), headers=rest.bearer())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"duplicate": True}
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_the_order_of_metadata_is_no_difference(rest: Rest) -> None:
    for metadata, status in (({"a": 1, "b": 2}, 201), ({"b": 2, "a": 1}, 200)):
        body = purchase(metadata=metadata)
        answer = await rest.http.post("/api/v1/transactions", json=body, headers=rest.bearer())
        assert answer.status_code == status


async def test_a_batch_has_1_to_1000_events(rest: Rest) -> None:
    for events in ([], [purchase()] * 1_001):
        answer = await rest.http.post("/api/v1/transactions/batch", json=events, headers=rest.bearer())
        assert answer.status_code == 422


async def test_paths_nobody_serves_are_problems(rest: Rest) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/api/v1/overview", 405)):
        answer = await rest.http.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("body", [b'{"colour": 1,', b'{"name": 1', b"[", b'{"name": "Goa"}}'])
async def test_what_is_no_json_is_a_400_whatever_else_it_lacks(rest: Rest, body: bytes) -> None:
    for path in ("/jars", "/transactions", "/transactions/batch"):
        answer = await rest.http.post(f"/api/v1{path}", content=body, headers=rest.bearer())
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed"), path


@pytest.mark.parametrize(("body", "status"), [(b"", 409), (b"{}", 409), (b"{", 400), (b'{"amount": 1}', 422)])
async def test_a_call_that_takes_no_body_takes_no_fields_either(rest: Rest, body: bytes, status: int) -> None:
    answer = await rest.http.post("/api/v1/sweeps", content=body, headers=rest.bearer())
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/overview", "/transactions", "/nowhere", "/openapi.json"])
async def test_every_answer_has_the_request_id_it_was_asked_under_or_a_fresh_one(rest: Rest, path: str) -> None:
    asked = rest.bearer() | {"X-Request-Id": "req-7"}
    assert (await rest.http.get(f"/api/v1{path}", headers=asked)).headers.get_list("x-request-id") == ["req-7"]
    refused = await rest.http.get(f"/api/v1{path}", headers={"X-Request-Id": 'a"b{}'})
    [fresh] = refused.headers.get_list("x-request-id")
    assert re.fullmatch(r"[0-9a-f]{16}", fresh)


async def test_every_turn_of_a_request_is_kept_under_its_id(rest: Rest) -> None:
    headers = rest.bearer("asha") | {"X-Request-Id": "req-8"}
    batch = [purchase(external_id=f"b{n}") for n in range(3)]
    assert (await rest.http.post("/api/v1/transactions/batch", json=batch, headers=headers)).status_code == 200
    await rest.http.get("/api/v1/overview", headers=rest.bearer("bimo") | {"X-Request-Id": "req-9"})
    kept = {user: [decode_meta(row.meta).request_id for row in rows] for user, rows in rest.journal.store.rows.items()}
    assert kept == {"main/asha": ["req-8"] * 4, "main/bimo": ["req-9"]}


async def test_an_answered_request_has_one_line_with_its_route_and_who_asked(
    rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "boond.access"):
        await rest.http.get("/api/v1/transactions/secret-id?note=private", headers=rest.bearer("asha"))
        await rest.http.get("/api/v1/overview")
    lines = [(record.getMessage(), vars(record)["about"]) for record in caplog.records]
    assert [message for message, _ in lines] == ["GET /transactions/{transaction_id} 422", "GET /overview 401"]
    assert [about.get("principal") for _, about in lines] == ["user:main/asha", None]
    assert all(about["ms"] > 0 for _, about in lines)


async def test_no_line_is_made_for_a_request_below_its_level(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "boond.access"):
        await rest.http.get("/api/v1/overview", headers=rest.bearer("asha"))
    assert caplog.records == []
