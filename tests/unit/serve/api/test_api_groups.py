"""Groups over REST: several people, the real application, letters delivered by hand; no Ray, no Postgres."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.messages import Envelope, Outcome
from actors.runtime import Unavailable
from tests.support.rest import Rest, serving


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as client:
        yield client


class People:
    """Calls as one person or another."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest

    async def call(self, user: str, line: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        method, path = line.split()
        headers = self.rest.bearer(user) | ({"Idempotency-Key": key} if key else {})
        answer = await self.rest.http.request(method, f"/api/v1{path}", json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    async def done(self, user: str, line: str, body: Any = None) -> Any:
        status, answer = await self.call(user, line, body)
        assert status < 300, answer
        await self.rest.deliver_letters()
        return answer


@pytest.fixture
async def people(rest: Rest) -> People:
    return People(rest)


async def founded(people: People) -> str:
    group = await people.done("asha", "POST /groups", {"name": "Goa", "target_amount": 100_000})
    made = await people.done("asha", f"POST /groups/{group['group_id']}/invites", {})
    joined = await people.done("ben", "POST /groups/join", {"code": made["code"]})
    assert joined["group_id"] == group["group_id"]
    return str(group["group_id"])


def shares(group: Any) -> dict[str, int]:
    return {member["user_id"]: member["share"] for member in group["members"]}


async def test_a_group_saves_together_and_buys_together(people: People) -> None:
    goa = f"/groups/{await founded(people)}"
    made = await people.done("asha", f"POST {goa}/contributions", {"amount": 20_000})
    assert (made["status"], made["amount"], made["from_jar"]) == ("reserved", 20_000, None)
    await people.done("ben", f"POST {goa}/contributions", {"amount": 10_000})
    group = await people.done("ben", f"GET {goa}")
    assert (group["balance"], group["progress"], shares(group)) == (30_000, 30, {"asha": 20_000, "ben": 10_000})
    tent = await people.done("asha", f"POST {goa}/purchases", {"amount": 15_000, "description": "Tent"})
    assert (tent["status"], tent["missing"]) == ("open", 5_000)
    path = f"{goa}/purchases/{tent['proposal_id']}"
    bought = await people.done("ben", f"POST {path}/approve", {})
    assert (bought["status"], bought["approved"]) == ("done", {"asha": 10_000, "ben": 5_000})
    assert (await people.done("asha", f"GET {goa}"))["balance"] == 15_000
    listed = await people.done("ben", f"GET {goa}/purchases")
    assert [one["status"] for one in listed["items"]] == ["done"]
    assert (await people.call("ben", f"POST {path}/reject"))[0] == 410


async def test_shares_come_back_to_their_owners(people: People) -> None:
    goa = f"/groups/{await founded(people)}"
    for user, amount in (("asha", 20_000), ("ben", 10_000)):
        await people.done(user, f"POST {goa}/contributions", {"amount": amount})
    status, problem = await people.call("ben", f"POST {goa}/payouts", {"amount": 10_001})
    assert (status, problem["share"]) == (409, 10_000)
    assert (await people.call("ben", f"POST {goa}/payouts", {"amount": 4_000}))[0] == 201
    await people.rest.deliver_letters()
    assert shares(await people.done("asha", f"GET {goa}")) == {"asha": 20_000, "ben": 6_000}
    status, all_out = await people.call("asha", f"POST {goa}/payouts", {})
    assert (status, all_out["asked"]) == (202, {"asha": 20_000, "ben": 6_000})
    await people.done("ben", f"POST {goa}/payouts/{all_out['proposal_id']}/approve")
    assert shares(await people.done("asha", f"GET {goa}")) == {"asha": 0, "ben": 0}
    left = await people.done("ben", f"POST {goa}/leave")
    assert left["status"] == "left"
    assert (await people.done("ben", "GET /groups"))["items"] == []
    assert (await people.call("ben", f"GET {goa}"))[0] == 404


async def test_a_contribution_from_a_jar_takes_a_code_and_money_that_has_moved(people: People) -> None:
    goa = f"/groups/{await founded(people)}"
    jar = (await people.done("asha", "GET /jars"))["items"][0]
    body = {"amount": 500, "from_jar": jar["jar_id"]}
    status, problem = await people.call("asha", f"POST {goa}/contributions", body)
    assert (status, problem["available"]) == (409, 0)
    assert (await people.call("asha", f"POST {goa}/contributions", {"amount": 5, "from_jar": "none"}))[0] == 404


async def test_one_reads_ones_own_membership_at_once(people: People) -> None:
    status, group = await people.call("asha", "POST /groups", {"name": "Goa"})
    assert status == 201
    mine = (await people.call("asha", "GET /groups"))[1]["items"]
    assert [(one["group_id"], one["name"], one["share"]) for one in mine] == [(group["group_id"], "Goa", 0)]
    await people.rest.deliver_letters()
    assert (await people.call("asha", "GET /groups"))[1]["items"] == mine


async def test_the_same_request_twice_is_one_group(people: People) -> None:
    first = await people.call("asha", "POST /groups", {"name": "Goa"}, key="k1")
    again = await people.call("asha", "POST /groups", {"name": "Goa"}, key="k1")
    assert first == again
    assert (await people.call("asha", "POST /groups", {"name": "Rome"}, key="k1"))[0] == 422
    other = await people.call("ben", "POST /groups", {"name": "Goa"}, key="k1")
    assert other[1]["group_id"] != first[1]["group_id"]


async def test_the_same_invite_twice_is_one_code(people: People) -> None:
    goa = await founded(people)
    first = await people.call("ben", f"POST /groups/{goa}/invites", {"uses": 1}, key="k")
    assert await people.call("ben", f"POST /groups/{goa}/invites", {"uses": 1}, key="k") == first
    assert first[0] == 201


async def test_strangers_and_bad_codes_find_nothing(people: People) -> None:
    goa = await founded(people)
    for line, body in (
        (f"GET /groups/{goa}", None),
        (f"POST /groups/{goa}/invites", {}),
        (f"POST /groups/{goa}/leave", None),
        (f"POST /groups/{goa}/contributions", {"amount": 5}),
        (f"POST /groups/{goa}/payouts", {}),
        (f"POST /groups/{goa}/purchases", {"amount": 5}),
        (f"GET /groups/{goa}/purchases", None),
        (f"GET /groups/{goa}/payouts", None),
        (f"POST /groups/{goa}/purchases/p/approve", {}),
        (f"POST /groups/{goa}/payouts/p/reject", None),
        ("POST /groups/join", {"code": goa}),
        ("POST /groups/join", {"code": "nonsense"}),
        ("GET /groups/~x", None),
        (f"GET /groups/{'a' * 16}", None),
    ):
        assert (await people.call("eve", line, body))[0] == 404, line
    assert not [e for e in people.rest.journal.store.rows if "~aaaa" in e or e.endswith("~x")]


async def test_a_second_join_that_is_retried_after_leaving_makes_no_member(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group's answer is replayed; what it once told the person must not be told again after the leave."""

    async def lost(envelope: Envelope) -> Outcome:
        if ":joined:" in (envelope.command_id or ""):
            raise Unavailable("the shard is away")
        return await submit(envelope)

    goa = await founded(people)
    made = await people.done("asha", f"POST /groups/{goa}/invites", {})
    submit = people.rest.runtime.submit
    monkeypatch.setattr(people.rest.runtime, "submit", lost)
    joined, _ = await people.call("ben", "POST /groups/join", {"code": made["code"]}, key="again")
    monkeypatch.undo()
    await people.done("ben", f"POST /groups/{goa}/leave")
    again, _ = await people.call("ben", "POST /groups/join", {"code": made["code"]}, key="again")
    assert (joined, again) == (200, 200)
    assert (await people.done("ben", "GET /groups"))["items"] == []


async def test_a_code_ends(people: People) -> None:
    goa = await founded(people)
    made = await people.done("asha", f"POST /groups/{goa}/invites", {"days": 1})
    people.rest.clock.at += timedelta(days=1)
    status, _ = await people.call("cai", "POST /groups/join", {"code": made["code"]})
    assert status == 410


async def test_bodies_are_checked(people: People) -> None:
    goa = await founded(people)
    for line, body in (
        ("POST /groups", {"name": ""}),
        ("POST /groups", {"name": "x", "deadline": "2020-01-01"}),
        (f"POST /groups/{goa}/invites", {"uses": 51}),
        (f"POST /groups/{goa}/invites", {"days": 31}),
        (f"POST /groups/{goa}/contributions", {"amount": 0}),
        (f"POST /groups/{goa}/purchases", {"amount": 5, "why": "?"}),
    ):
        status, problem = await people.call("asha", line, body)
        assert status == 422, line
        assert problem["errors"], line


async def test_a_group_made_twice_by_one_key_is_one_even_when_it_was_the_last_there_may_be(people: People) -> None:
    for number in range(50):
        made = await people.call("asha", "POST /groups", {"name": "Goa"}, key=f"k{number}")
        assert made[0] == 201
    assert await people.call("asha", "POST /groups", {"name": "Goa"}, key="k49") == made
    code = await people.done("asha", f"POST /groups/{made[1]['group_id']}/invites")
    assert (await people.call("asha", "POST /groups/join", {"code": code["code"]}))[0] == 200
    assert (await people.call("asha", "POST /groups", {"name": "Goa"}, key="k50"))[0] == 409
