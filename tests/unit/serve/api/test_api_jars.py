"""Jars over REST: the routes, their bodies and their refusals, on the real application without Ray and Postgres."""

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


async def jar(rest: Rest, **fields: Any) -> str:
    status, made = await call(rest, "POST", "/jars", fields)
    assert status == 201
    return str(made["jar_id"])


async def test_allocation_is_set_whole_and_read_back(rest: Rest) -> None:
    goa, bike = await jar(rest, name="Goa"), await jar(rest, name="Bike")
    shares = [{"jar_id": goa, "percent": 70}, {"jar_id": bike, "percent": 30}]
    status, answer = await call(rest, "PUT", "/allocation", {"mode": "percent", "shares": shares})
    assert (status, answer["mode"]) == (200, "percent")
    assert [(one["name"], one["percent"]) for one in answer["shares"]] == [("Goa", 70), ("Bike", 30), ("Savings", 0)]
    assert await call(rest, "GET", "/allocation") == (200, answer)


async def test_a_percent_that_is_no_part_of_100_is_refused(rest: Rest) -> None:
    goa = await jar(rest, name="Goa")
    for percent in (0, 101, 99, "100"):
        shares = [{"jar_id": goa, "percent": percent}]
        status, problem = await call(rest, "PUT", "/allocation", {"mode": "percent", "shares": shares})
        assert (status, problem["errors"][0]["field"].split("[")[0]) == (422, "shares")
