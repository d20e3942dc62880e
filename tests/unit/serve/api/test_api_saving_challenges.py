"""Saving challenges over REST."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.rest import Rest, serving


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as client:
        yield client


async def call(rest: Rest, line: str, body: Any = None) -> tuple[int, Any]:
    method, path = line.split()
    answer = await rest.http.request(method, f"/api/v1{path}", json=body, headers=rest.bearer())
    return answer.status_code, answer.json()


async def test_a_challenge_is_begun_listed_and_given_up(rest: Rest) -> None:
    status, begun = await call(rest, "POST /challenges", {"kind": "no_spend_days", "days": 5, "within_days": 7})
    assert (status, begun["target"], begun["state"]) == (201, 5, "running")
    status, listed = await call(rest, "GET /challenges")
    assert (status, listed["items"]) == (200, [begun])
    assert len(listed["catalogue"]) == 3
    status, left = await call(rest, f"POST /challenges/{begun['challenge_id']}/leave")
    assert (status, left["state"]) == (200, "left")
    assert (await call(rest, f"POST /challenges/{begun['challenge_id']}/leave"))[0] == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "swim"}, "kind"),
        ({"kind": "week_52"}, "amount"),
        ({"kind": "no_spend_days", "days": 61}, "days"),
        ({"kind": "no_spend_days", "pseudonym": "x\n"}, "pseudonym"),
        ({"kind": "no_spend_days", "board": "group"}, "group_id"),
        ({"kind": "no_spend_days", "colour": "red"}, "colour"),
    ],
)
async def test_bad_terms_are_named(rest: Rest, body: dict[str, Any], field: str) -> None:
    status, problem = await call(rest, "POST /challenges", body)
    assert status == 422
    assert field in problem["errors"][0]["field"] or field in problem["errors"][0]["message"]
