"""`GET /turns`: the socket's turns as a list, from the journal, in pages, oldest first."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct

from serve.api import turns
from serve.live.names import Names, translator
from serve.live.protocol import encode_turn
from tests.support.rest import Rest, serving

PATH = "/api/v1/turns"


class _Bytes(Struct):
    """The events of an answer as the bytes they came in."""

    items: list[dict[str, Raw]]


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as opened:
        yield opened


async def spend(rest: Rest, number: int, user: str = "asha") -> None:
    body = {
        "external_id": f"T{number}",
        "source": "upi",
        "amount": 19_725,
        "currency": "INR",
        "merchant": "Chai \u20b9",
    }
    answer = await rest.http.post("/api/v1/transactions", json=body, headers=rest.bearer(user))
    assert answer.status_code == 201


async def page(rest: Rest, status: int = 200, role: Any = "user", **query: Any) -> dict[str, Any]:
    headers = rest.bearer("wallet" if role == "service" else "asha", role)
    answer = await rest.http.get(PATH, params=query, headers=headers)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_pages_lead_from_any_seq_to_the_head(rest: Rest) -> None:
    for number in range(5):
        await spend(rest, number)
    first = await page(rest, after=1, limit=2)
    assert (first["epoch"], first["head"], [turn["seq"] for turn in first["items"]]) == ("epoch", 6, [2, 3])
    second = await page(rest, cursor=first["next_cursor"], limit=2)
    third = await page(rest, cursor=second["next_cursor"], limit=2)
    assert [turn["seq"] for turn in second["items"] + third["items"]] == [4, 5, 6]
    assert second["next_cursor"] is not None
    assert third["next_cursor"] is None
    assert (await page(rest, after=6))["items"] == []
    assert [turn["seq"] for turn in (await page(rest))["items"]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("names", ["boond", "jatour"])
async def test_events_are_the_bytes_that_the_socket_pushes(rest: Rest, names: Names) -> None:
    await spend(rest, 1)
    answer = await rest.http.get(PATH, params={"names": names}, headers=rest.bearer())
    frames = await rest.runtime.history("main/asha", 0, 10)
    pushed = [translator(names)(encode_turn(frame)).encode() for frame in frames]
    listed = msgspec.json.decode(answer.content, type=_Bytes).items
    assert [bytes(turn["events"]) for turn in listed] == [
        bytes(msgspec.json.decode(frame, type=dict[str, Raw])["events"]) for frame in pushed
    ]
    assert all(bytes(turn["events"]) in frame for turn, frame in zip(listed, pushed, strict=True))
    assert (b"expense_created" in answer.content) == (names == "jatour")


async def test_a_service_names_the_user_and_opens_one_nobody_knows(rest: Rest) -> None:
    await page(rest, 422, role="service")
    found = await page(rest, role="service", user_id="ravi")
    assert (found["head"], [turn["seq"] for turn in found["items"]]) == (1, [1])
    await page(rest, 403, user_id="ravi")


@pytest.mark.parametrize(
    "query", [{"epoch": "another"}, {"cursor": "another:1"}, {"after": 3}, {"epoch": "epoch", "after": 3}]
)
async def test_a_position_that_is_not_of_this_stream_is_gone_and_says_the_way_out(
    rest: Rest, query: dict[str, Any]
) -> None:
    await spend(rest, 1)
    problem = await page(rest, 410, **query)
    assert (problem["type"], problem["epoch"]) == ("/problems/gone", "epoch")
    assert "GET /overview" in problem["detail"]


async def test_a_hole_in_the_journal_is_gone_and_not_an_end(rest: Rest) -> None:
    for number in range(3):
        await spend(rest, number)
    del rest.journal.store.rows["main/asha"][0]
    await page(rest, 410, after=0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 501}, "limit"),
        ({"limit": 0}, "limit"),
        ({"after": -1}, "after"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "epoch:-1"}, "cursor"),
        ({"cursor": "epoch:" + "9" * 30}, "cursor"),
        ({"cursor": "epoch:1", "after": 1}, "cursor"),
        ({"names": "theirs"}, "names"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_question_names_its_field(rest: Rest, query: dict[str, Any], field: str) -> None:
    assert (await page(rest, 422, **query))["errors"][0]["field"] == field


async def test_a_page_is_bounded_in_bytes_and_its_cursor_goes_on(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await spend(rest, number)
    monkeypatch.setattr(turns, "EVENTS_BYTES_MAX", 10)
    found, cursor = [], {"after": 0}
    while cursor:
        got = await page(rest, **cursor)
        found.append([turn["seq"] for turn in got["items"]])
        cursor = {"cursor": got["next_cursor"]} if got["next_cursor"] else {}
    assert found == [[1], [2], [3], [4]]
