import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtests.books import NotRead, Reader, fed, heard_by_holder, heard_by_phones
from loadtests.feed import turns_of
from loadtests.outcomes import Notebook, Outcomes
from loadtests.reconcile import Feed, Heard

Handler = Callable[[httpx.Request], httpx.Response]


def turn(seq: int, *types: str) -> dict[str, Any]:
    events = [{"type": name, "data": {"external_id": f"e{seq}", "seq": seq}} for name in types]
    return {"seq": seq, "at": "now", "events": events}


def pages(**by_cursor: dict[str, Any]) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=by_cursor[request.url.params.get("cursor") or "first"])

    return handle


def reader(handler: Handler) -> Reader:
    return Reader("http://boond", "token", httpx.MockTransport(handler))


async def test_the_turns_of_a_user_are_read_to_the_head_with_the_payment_each_records() -> None:
    first = {"items": [turn(1), turn(2, "transaction_recorded", "budget_threshold")], "next_cursor": "second"}
    second = {"items": [turn(3, "jar_deposited"), turn(4, "transaction_settled")], "next_cursor": None}
    async with reader(pages(first=first, second=second)) as books:
        read = await books.turns_of_all(["asha"])
    assert read == {"asha": [(1, None), (2, "e2"), (3, None), (4, None)]}


async def test_the_feed_is_read_until_a_page_is_empty() -> None:
    items = [{"user_id": "asha", "seq": 1, "at": "now", "events": []}]
    first, second = {"items": items, "next_cursor": "b"}, {"items": items, "next_cursor": "c"}
    async with reader(pages(a=first, b=second, c={"items": [], "next_cursor": "c"})) as books:
        assert await books.feed_from("a") == [("asha", 1)] * 2


async def test_busy_is_asked_again_and_a_refusal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtests.books._AGAIN_S", 0.0)
    answers = [httpx.Response(503), httpx.Response(429), httpx.Response(200, json={"items": [], "next_cursor": None})]
    async with reader(lambda _: answers.pop(0)) as books:
        assert await books.turns("asha") == []
    async with reader(lambda _: httpx.Response(403, text="role service")) as books:
        with pytest.raises(NotRead, match="403 role service"):
            await books.turns("asha")


def test_what_the_holder_logged_becomes_its_listeners(tmp_path: Path) -> None:
    log = tmp_path / "pushes"
    log.write_text("0 2 a\n1 5 -\n0 3 b\n")
    heard = heard_by_holder(log, [("asha", 1, 3), ("ravi", 4, 5), ("mina", 0, 0)])
    assert heard == [Heard("asha", 1, 3, {2: "a", 3: "b"}), Heard("ravi", 4, 5, {5: None}), Heard("mina", 0, 0, {})]


def test_what_phones_and_the_feed_noted_is_read_back(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, 0)
    notebook.heard("asha", 2, "a")
    notebook.heard("asha", 3, None)
    notebook.fed("asha", 2)
    notebook.fed("stranger", 9)
    notebook.close()
    assert heard_by_phones(tmp_path, Outcomes(phones=[("asha", 1, 3, 4)])) == [
        Heard("asha", 1, 3, {2: "a", 3: None}, until=4)
    ]
    assert fed(tmp_path, [("asha", 3)], {"asha": "token"}) == Feed([("asha", 2), ("asha", 3)])


def test_a_page_of_turns_may_grow_fields() -> None:
    body = json.dumps({"epoch": "e", "head": 1, "items": [{**turn(1), "request_id": "r"}], "next_cursor": None})
    assert [item.seq for item in turns_of(body.encode()).items] == [1]
