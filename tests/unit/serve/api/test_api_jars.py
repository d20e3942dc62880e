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


async def round_up(rest: Rest) -> None:
    """Spend 197.25: 2.75 are promised to the first jar."""
    await call(rest, "PATCH", "/profile", {"auto_saving": {"state": "on"}})
    spend = {"external_id": "T1", "source": "upi", "amount": 19_725, "currency": "INR", "category": "food"}
    assert (await call(rest, "POST", "/transactions", spend))[0] == 201


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


async def test_a_transfer_shows_both_jars_and_a_refusal_what_can_move(rest: Rest) -> None:
    goa, bike = await jar(rest, name="Goa"), await jar(rest, name="Bike")
    await round_up(rest)
    status, answer = await call(rest, "POST", f"/jars/{goa}/transfer", {"amount": 100, "to_jar": bike})
    assert (status, answer["jar"]["balance"], answer["to"]["balance"]) == (201, 175, 100)
    status, problem = await call(rest, "POST", f"/jars/{goa}/transfer", {"amount": 176, "to_jar": bike})
    assert (status, problem["balance"], problem["movable"]) == (409, 175, 175)
    for body in ({"amount": 0, "to_jar": bike}, {"amount": 1}, {"amount": 1, "to_jar": goa}):
        assert (await call(rest, "POST", f"/jars/{goa}/transfer", body))[0] == 422


async def test_a_locked_jar_opens_a_day_after_the_code_of_its_unlock(rest: Rest) -> None:
    goa, bike = await jar(rest, name="Goa"), await jar(rest, name="Bike")
    await round_up(rest)
    status, locked = await call(rest, "POST", f"/jars/{goa}/lock", {"until": "2027-03-01T00:00:00Z"})
    assert (status, locked["locked_until"], locked["unlocks_at"]) == (200, "2027-03-01T00:00:00Z", None)
    moving = {"amount": 100, "to_jar": bike}
    status, problem = await call(rest, "POST", f"/jars/{goa}/transfer", moving)
    assert (status, problem["locked_until"]) == (409, "2027-03-01T00:00:00+00:00")
    status, challenge = await call(rest, "POST", f"/jars/{goa}/unlock")
    assert (status, set(challenge)) == (202, {"challenge_id", "expires_at"})
    body = {"challenge_id": challenge["challenge_id"], "code": rest.code(challenge["challenge_id"])}
    assert (await call(rest, "POST", f"/jars/{bike}/unlock/confirm", body))[0] == 404
    status, opening = await call(rest, "POST", f"/jars/{goa}/unlock/confirm", body)
    assert (status, opening["unlocks_at"]) == (200, "2026-11-21T09:00:00Z")
    assert (await call(rest, "POST", f"/jars/{goa}/transfer", moving))[0] == 409
    rest.clock.advance(24 * 3600)
    assert (await call(rest, "POST", f"/jars/{goa}/transfer", moving))[0] == 201


async def test_an_unlock_can_be_cancelled_and_a_lock_not_shortened(rest: Rest) -> None:
    goa = await jar(rest, name="Goa")
    await call(rest, "POST", f"/jars/{goa}/lock", {"until": "2027-03-01"})
    assert (await call(rest, "POST", f"/jars/{goa}/lock", {"until": "2027-02-28"}))[0] == 409
    _, challenge = await call(rest, "POST", f"/jars/{goa}/unlock")
    body = {"challenge_id": challenge["challenge_id"], "code": rest.code(challenge["challenge_id"])}
    assert (await call(rest, "POST", f"/jars/{goa}/unlock/confirm", body))[0] == 200
    assert await call(rest, "DELETE", f"/jars/{goa}/unlock") == (204, None)
    rest.clock.advance(24 * 3600)
    _, shown = await call(rest, "GET", f"/jars/{goa}")
    assert (shown["locked_until"], shown["unlocks_at"]) == ("2027-02-28T18:30:00Z", None)


async def test_badges_show_what_is_earned_and_how_far_the_others_are(rest: Rest) -> None:
    await round_up(rest)
    status, answer = await call(rest, "GET", "/badges")
    badges = {badge["badge_id"]: badge for badge in answer["items"]}
    assert status == 200
    assert badges["first_save"]["earned_at"] == "2026-11-20T09:00:00Z"
    assert badges["round_ups_10"]["earned_at"] is None
    assert badges["round_ups_10"]["progress"] == {"current": 1, "target": 10}
