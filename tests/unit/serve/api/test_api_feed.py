"""`GET /feed`: every turn of a tenant's users, from a cursor, for a service."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.support.rest import Rest, serving

PATH = "/api/v1/feed"
NOW: dict[str, Any] = {"from": "now"}


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as opened:
        yield opened


async def spend(rest: Rest, user: str, number: int) -> None:
    body = {"external_id": f"T{number}", "source": "upi", "amount": 19_725, "currency": "INR"}
    answer = await rest.http.post("/api/v1/transactions", json=body, headers=rest.bearer(user))
    assert answer.status_code == 201


async def read(rest: Rest, status: int = 200, **query: Any) -> dict[str, Any]:
    asked = {"wait_s": 0, **query}
    answer = await rest.http.get(PATH, params=asked, headers=rest.bearer("wallet", "service"))
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def decoded(cursor: str) -> list[Any]:
    found: list[Any] = msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return found


def encoded(members: list[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(members)).decode().rstrip("=")


@pytest.mark.parametrize(
    "members",
    [
        ["epoch", -1, 0, "", 0],
        ["epoch", 2**63, 0, "", 0],
        ["epoch", 1, 4096, "", 0],
        ["epoch", 1, 0, "a\x00b", 0],
        ["epoch", 1, 0, "", "1"],
        ["epoch", 1, 0, ""],
        ["epoch", 1, 0, "", 0, 0],
    ],
)
async def test_a_cursor_that_was_made_up_is_refused(rest: Rest, members: list[Any]) -> None:
    assert (await read(rest, 422, cursor=encoded(members)))["errors"][0]["field"] == "cursor"


async def test_every_turn_of_every_user_comes_from_cursor_to_cursor(rest: Rest) -> None:
    for number, user in enumerate(["asha", "ravi", "asha", "budi"]):
        await spend(rest, user, number)
    seen: list[tuple[str, int]] = []
    cursor = ""
    while items := (page := await read(rest, cursor=cursor, limit=2))["items"]:
        seen += [(item["user_id"], item["seq"]) for item in items]
        cursor = page["next_cursor"]
    assert page["epoch"] == "epoch"
    assert page["next_cursor"] == cursor, "the end is a place to go on from"
    assert sorted(seen) == [("asha", 1), ("asha", 2), ("asha", 3), ("budi", 1), ("budi", 2), ("ravi", 1), ("ravi", 2)]
    assert [seq for user, seq in seen if user == "asha"] == [1, 2, 3]
    await spend(rest, "ravi", 9)
    assert [(item["user_id"], item["seq"]) for item in (await read(rest, cursor=cursor))["items"]] == [("ravi", 3)]


async def test_events_are_those_of_the_users_own_list(rest: Rest) -> None:
    await spend(rest, "asha", 1)
    own = (await rest.http.get("/api/v1/turns", headers=rest.bearer("asha"))).json()["items"]
    fed = (await read(rest))["items"]
    assert [{**turn, "user_id": "asha"} for turn in own] == fed


async def test_one_may_begin_at_the_end(rest: Rest) -> None:
    begun = await read(rest, **NOW)
    assert begun["items"] == []
    await spend(rest, "asha", 1)
    page = await read(rest, **NOW)
    assert page["items"] == []
    assert (await read(rest, cursor=page["next_cursor"]))["items"] == []
    assert len((await read(rest, cursor=begun["next_cursor"]))["items"]) == 2


async def test_a_cursor_of_another_stream_is_gone_and_says_the_way_out(rest: Rest) -> None:
    epoch, *rest_of_it = decoded((await read(rest))["next_cursor"])
    assert epoch == "epoch"
    cursor = encoded(["before-the-restore", *rest_of_it])
    problem = await read(rest, 410, cursor=cursor)
    assert (problem["type"], problem["epoch"]) == ("/problems/gone", "epoch")
    assert "Begin without a cursor" in problem["detail"]


@pytest.mark.parametrize("role", ["user", "admin"])
async def test_the_feed_is_for_a_service_alone(rest: Rest, role: Any) -> None:
    answer = await rest.http.get(PATH, headers=rest.bearer("someone", role))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 501}, "limit"),
        ({"wait_s": 15.1}, "wait_s"),
        ({"wait_s": -1}, "wait_s"),
        ({"wait_s": "nan"}, "wait_s"),
        ({"from": "yesterday"}, "from"),
        ({"from": "now", "cursor": "x"}, "from"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "\u0915"}, "cursor"),
        ({"cursor": "lZGRkZE"}, "cursor"),
        ({"user_id": "ravi"}, "user_id"),
    ],
)
async def test_a_bad_question_names_its_field(rest: Rest, query: dict[str, Any], field: str) -> None:
    assert (await read(rest, 422, **query))["errors"][0]["field"] == field


async def test_a_turn_that_cannot_be_read_is_named_and_the_feed_goes_on(rest: Rest) -> None:
    await spend(rest, "asha", 1)
    committed = rest.journal.store.committed
    stored = committed[0]
    committed[0] = structs.replace(stored, turn=structs.replace(stored.turn, body=b"\x02\x00\x00of a newer release"))
    await spend(rest, "asha", 2)
    items = (await read(rest))["items"]
    assert [(item["seq"], item.get("unreadable", False), bool(item["events"])) for item in items] == [
        (1, True, False),
        (2, False, True),
        (3, False, True),
    ]


async def test_a_cursor_ahead_of_a_restored_journal_is_gone(rest: Rest) -> None:
    await spend(rest, "asha", 1)
    epoch, xact, *place = decoded((await read(rest))["next_cursor"])
    assert (await read(rest, 410, cursor=encoded([epoch, xact + 1, *place])))["type"] == "/problems/gone"
