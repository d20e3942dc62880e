"""`POST /live/ticket`: who gets one, for whom."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serve.auth.tickets import TICKET_S
from tests.support.rest import Rest, serving

PATH = "/api/v1/live/ticket"


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as opened:
        yield opened


async def test_a_user_gets_a_ticket_for_its_own_stream(rest: Rest) -> None:
    answer = await rest.http.post(PATH, headers=rest.bearer("asha"))
    assert answer.status_code == 201
    assert answer.json().keys() == {"ticket", "expires_at", "expires_in"}
    assert answer.json()["expires_in"] == TICKET_S
    assert (await rest.tickets.redeem(answer.json()["ticket"])).entity_id == "main/asha"


async def test_a_service_names_the_user_and_opens_one_nobody_knows(rest: Rest) -> None:
    service = rest.bearer("wallet", "service")
    assert (await rest.http.post(PATH, headers=service)).status_code == 422
    assert "main/ravi" not in rest.journal.store.rows
    answer = await rest.http.post(PATH, headers=service, params={"user_id": "ravi"})
    assert (await rest.tickets.redeem(answer.json()["ticket"])).entity_id == "main/ravi"
    assert len(rest.journal.store.rows["main/ravi"]) == 1


async def test_nobody_gets_a_ticket_for_another(rest: Rest) -> None:
    assert (await rest.http.post(PATH)).status_code == 401
    asked = {"params": {"user_id": "ravi"}}
    for who in (rest.bearer("asha"), rest.bearer("root", "admin")):
        assert (await rest.http.post(PATH, headers=who, **asked)).status_code == 403  # type: ignore[arg-type]


async def test_a_ticket_opens_no_call(rest: Rest) -> None:
    ticket = (await rest.http.post(PATH, headers=rest.bearer())).json()["ticket"]
    answer = await rest.http.get("/api/v1/overview", headers={"Authorization": f"Bearer {ticket}"})
    assert answer.status_code == 401
