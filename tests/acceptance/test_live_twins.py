"""The socket's twins through the front door: events as they happen, the tenant's feed, and leaving."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.acceptance.boond import Boond, purchase

SOCKETS_PER_USER_MAX = 5


def ticket(client: httpx.Client) -> str:
    """Return a ticket for the client's own stream."""
    answer = client.post("/live/ticket")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


def follow(boond: Boond, query: dict[str, str], until: str, on: Any = lambda: None) -> list[dict[str, Any]]:
    """Open a stream, do `on` once its snapshot or turn is there, and return its frames up to the first `until`."""
    frames: list[dict[str, Any]] = []
    with (
        httpx.Client(base_url=f"{boond.url}/api/v1", timeout=20) as http,
        http.stream("GET", "/live/sse", params=query) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            if line.startswith("data: "):
                frames.append(json.loads(line.removeprefix("data: ")))
                if frames[-1]["t"] == until:
                    break
                if frames[-1]["t"] == "snapshot":
                    on()
    return frames


def test_an_event_comes_when_it_happens_and_the_next_stream_goes_on_after_it(boond: Boond) -> None:
    client = boond.client(boond.sign_up("twins.one@example.com")["access_token"])
    paid: list[float] = []

    def pay() -> None:
        assert client.post("/transactions", json=purchase("T1", 19_725)).status_code == 201
        paid.append(time.monotonic())

    frames = follow(boond, {"ticket": ticket(client)}, "turn", pay)
    assert time.monotonic() - paid[0] < 5, "the front door kept the event back"
    assert client.post("/transactions", json=purchase("T2", 19_725)).status_code == 201
    last = f"{frames[1]['epoch']}:{frames[-1]['seq']}"
    again = follow(boond, {"ticket": ticket(client), "last_event_id": last}, "turn")
    assert (again[1]["resumed"], again[-1]["seq"]) == (True, frames[-1]["seq"] + 1)
    listed = client.get("/turns", params={"after": frames[-1]["seq"]}).json()["items"]
    assert listed == [{key: value for key, value in again[-1].items() if key != "t"}]


def test_a_spent_ticket_is_an_answer_and_no_stream(boond: Boond) -> None:
    client = boond.client(boond.sign_up("twins.two@example.com")["access_token"])
    spent = ticket(client)
    follow(boond, {"ticket": spent}, "snapshot")
    answer = httpx.get(f"{boond.url}/api/v1/live/sse", params={"ticket": spent}, timeout=20)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not-authenticated")


def test_a_stream_whose_client_left_makes_room_for_another(boond: Boond) -> None:
    client = boond.client(boond.sign_up("twins.three@example.com")["access_token"])
    for _ in range(SOCKETS_PER_USER_MAX):
        follow(boond, {"ticket": ticket(client)}, "snapshot")
    deadline = time.monotonic() + 20
    while True:
        query = {"ticket": ticket(client)}
        with httpx.stream("GET", f"{boond.url}/api/v1/live/sse", params=query, timeout=20) as answer:
            if answer.status_code == 200:
                return
        assert answer.status_code == 429
        assert time.monotonic() < deadline


def test_the_feed_tells_a_back_end_of_every_payment(boond: Boond, wallet: httpx.Client) -> None:
    begun = wallet.get("/feed", params={"from": "now"}).json()
    query = {"cursor": begun["next_cursor"], "wait_s": 15}
    paying = boond.client(boond.token("wallet", "service"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wallet.get, "/feed", params=query)
        for user in ("feed-a", "feed-b"):
            answer = paying.post("/transactions", json={**purchase("T1", 19_725), "user_id": user})
            assert answer.status_code == 201, answer.text
        page = waiting.result().json()
    seen = page["items"]
    assert seen
    while page["items"]:
        page = wallet.get("/feed", params={"cursor": page["next_cursor"], "wait_s": 0.5}).json()
        seen += page["items"]
    for user in ("feed-a", "feed-b"):
        assert [item["seq"] for item in seen if item["user_id"] == user] == [1, 2]
