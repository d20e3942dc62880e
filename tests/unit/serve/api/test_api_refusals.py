"""What the REST application refuses, however the request is bent, is a problem document and never our own error."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from psycopg_pool import PoolTimeout

from actors.messages import Envelope, Outcome, Problem
from serve.api import app, openapi, routing
from serve.auth.keys import load_or_create
from serve.auth.tokens import Issuer, Verifier
from serve.services import Services

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class Shards:
    """A runtime that refuses everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Envelope] = []

    async def submit(self, envelope: Envelope) -> Outcome:
        self.asked.append(envelope)
        return Outcome("refused", problem=Problem("not_found", "there is none"))


class BrokenStorage:
    """A read model and accounts whose Postgres is away, in the way given."""

    def __init__(self) -> None:
        self.error: Exception = PoolTimeout("no connection in time")

    async def transactions(self, *_: Any, **__: Any) -> None:
        raise self.error

    async def log_in(self, *_: Any, **__: Any) -> None:
        raise self.error


@pytest.fixture
def shards() -> Shards:
    return Shards()


@pytest.fixture
def storage() -> BrokenStorage:
    return BrokenStorage()


@pytest.fixture
def client(tmp_path: Path, shards: Shards, storage: BrokenStorage) -> Iterator[TestClient[Litestar]]:
    keys = load_or_create(tmp_path / "keys")

    async def ready() -> dict[str, str]:
        return {}

    services = Services(
        runtime=cast("Any", shards),
        read_model=cast("Any", storage),
        statements=cast("Any", storage),
        accounts=cast("Any", storage),
        verifier=Verifier(keys),
        tickets=cast("Any", None),
        feed=cast("Any", None),
        keys=keys,
        epoch="epoch",
        now=lambda: NOW,
        readiness=ready,
    )

    @asynccontextmanager
    async def held(_: Litestar) -> AsyncIterator[Services]:
        yield services

    with TestClient(app.build_app(held)) as made:
        made.headers["Authorization"] = f"Bearer {Issuer(keys).issue('asha', now=NOW, lifetime_s=60)}"
        yield made


def refusal(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    return document


@pytest.mark.parametrize("body", [b"[" * 30_000 + b"]" * 30_000, b"[" * 60_000])
def test_json_deeper_than_a_reader_can_go_is_malformed(client: TestClient[Litestar], body: bytes) -> None:
    refusal(client.post("/api/v1/transactions/batch", content=body), 400)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/transactions/%00", None),
        ("PATCH", "/transactions/a%00", {"note": "x"}),
        ("POST", "/jars/%00/deposit", {"amount": 1}),
        ("DELETE", "/jars/%00", None),
    ],
)
def test_an_id_with_a_nul_is_unknown_before_any_storage_sees_it(
    client: TestClient[Litestar], shards: Shards, method: str, path: str, body: dict[str, Any] | None
) -> None:
    refusal(client.request(method, "/api/v1" + path, json=body), 404)
    assert shards.asked == []


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_the_calendar_names_its_field(client: TestClient[Litestar], moment: str) -> None:
    event = {"external_id": "T1", "source": "upi", "amount": 100, "currency": "INR", "occurred_at": moment}
    answer = refusal(client.post("/api/v1/transactions", json=event), 422)
    assert answer["errors"][0]["field"] == "occurred_at"


@pytest.mark.parametrize(
    "error", [PoolTimeout("none free"), psycopg.OperationalError("server closed"), psycopg.InterfaceError("closed")]
)
def test_without_postgres_a_client_is_asked_to_come_again(
    client: TestClient[Litestar], storage: BrokenStorage, error: Exception
) -> None:
    storage.error = error
    credentials = {"email": "asha@example.com", "password": "correct horse"}
    for answer in (client.get("/api/v1/transactions"), client.post("/api/v1/login", json=credentials)):
        assert refusal(answer, 503)["detail"] == "A part of the service does not answer now; try again."
        assert answer.headers["retry-after"] == "1"


def test_a_part_that_never_answers_ends_in_a_503(
    client: TestClient[Litestar], storage: BrokenStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "ANSWER_S", 0.0)
    monkeypatch.setattr(storage, "transactions", lambda *_, **__: _forever())
    assert client.get("/api/v1/transactions").headers["retry-after"] == "1"


async def _forever() -> None:
    await asyncio.Event().wait()


def test_a_wrong_method_says_which_are_right(client: TestClient[Litestar]) -> None:
    answer = client.put("/api/v1/transactions", json={})
    refusal(answer, 405)
    assert set(answer.headers["allow"].replace(" ", "").split(",")) >= {"GET", "POST"}


def test_a_body_that_is_too_large_is_not_read_to_its_end(client: TestClient[Litestar]) -> None:
    answer = client.post("/api/v1/transactions", content=b" " * 70_000)
    refusal(answer, 413)
    assert answer.headers["connection"] == "close"


def test_the_document_says_that_a_batch_holds_problems_too() -> None:
    answer = openapi.document(app.ROUTES, "1")["components"]["schemas"]["BatchAnswer"]
    refs = [each["$ref"].rpartition("/")[2] for each in answer["properties"]["results"]["items"]["anyOf"]]
    assert refs == ["Receipt", "Problem"]
