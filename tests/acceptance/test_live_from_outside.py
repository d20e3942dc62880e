"""The live half of api.md read word by word, against `boond up`: tickets, twins, feed, documents, metrics."""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from serve.client import connect as follow
from tests.acceptance.boond import Boond, purchase, receive, turns_until, until


async def authenticated(boond: Boond, auth: dict[str, Any], path: str = "/api/v1/live") -> tuple[ClientConnection, Any]:
    ws = await connect(f"ws://127.0.0.1:{boond.port}{path}", subprotocols=["boond.v1"], compression=None)  # type: ignore[list-item]
    assert (await receive(ws))["t"] == "hello"
    await ws.send(json.dumps({"t": "auth", **auth}))
    try:
        return ws, await receive(ws)
    except ConnectionClosed as closed:
        return ws, closed.rcvd.code if closed.rcvd else None


async def code_of(ws: ClientConnection) -> int | None:
    """Read until the server closes, and return its code."""
    try:
        while True:
            await receive(ws)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def spend(client: httpx.Client, count: int, prefix: str = "T") -> list[int]:
    answers = [client.post("/transactions", json=purchase(f"{prefix}{i}", 10_001 + i)) for i in range(count)]
    assert {answer.status_code for answer in answers} == {201}
    return [answer.json()["seq"] for answer in answers]


async def test_a_ticket_opens_one_socket_once_through_whatever_gateway(boond: Boond) -> None:
    me = boond.sign_up("outside.ticket@example.com")
    client = boond.client(me["access_token"])
    answer = client.post("/live/ticket")
    assert answer.status_code == 201, answer.text
    ticket = answer.json()["ticket"]
    assert 0 < answer.json()["expires_in"] <= 30
    ws, ready = await authenticated(boond, {"ticket": ticket})
    assert ready["t"] == "ready"
    assert (await receive(ws))["data"]["profile"]["name"] == "Asha"
    await ws.close()
    for path in ("/api/v1/live", "/api/v1/expenses/real-time"):
        assert (await authenticated(boond, {"ticket": ticket}, path))[1] == 4001
    assert (await authenticated(boond, {"ticket": me["access_token"]}))[1] == 4001
    fresh = client.post("/live/ticket").json()["ticket"]
    assert (await authenticated(boond, {"token": fresh}))[1] == 4001
    assert boond.client(fresh).get("/overview").status_code == 401
    assert boond.client().post("/live/ticket").status_code == 401


async def test_a_wallet_buys_a_ticket_for_its_user(boond: Boond, wallet: httpx.Client) -> None:
    post = wallet.post
    answer = await asyncio.to_thread(post, "/live/ticket", params={"user_id": "outside-ticket-user"})
    assert answer.status_code == 201, answer.text
    ws, ready = await authenticated(boond, {"ticket": answer.json()["ticket"]})
    assert ready["t"] == "ready"
    event = {**purchase("W1", 19_725), "user_id": "outside-ticket-user"}
    posted = await asyncio.to_thread(post, "/transactions", json=event)
    assert await turns_until(ws, posted.json()["seq"])
    await ws.close()


async def test_a_fresh_ticket_renews_an_open_socket(boond: Boond) -> None:
    me = boond.sign_up("outside.renew@example.com")
    client = boond.client(me["access_token"])
    async with boond.live(me["access_token"]) as (ws, first):
        assert (await receive(ws))["t"] == "snapshot"
        await ws.send(json.dumps({"t": "auth", "ticket": client.post("/live/ticket").json()["ticket"]}))
        again = await receive(ws)
        assert (again["t"], again["resumed"], again["epoch"]) == ("ready", True, first["epoch"])


async def test_turns_are_the_frames_of_the_socket(boond: Boond) -> None:
    me = boond.sign_up("outside.turns@example.com")
    client = boond.client(me["access_token"])
    async with boond.live(me["access_token"]) as (ws, ready):
        await receive(ws)
        head = await asyncio.to_thread(lambda: spend(client, 12)[-1])
        pushed: list[dict[str, Any]] = []
        while not pushed or pushed[-1]["seq"] < head:
            pushed.append(await receive(ws))
    whole = client.get("/turns", params={"after": ready["head"]}).json()
    assert (whole["epoch"], whole["head"], whole["next_cursor"]) == (ready["epoch"], head, None)
    kept = [{name: frame[name] for name in ("seq", "at", "events")} for frame in pushed]
    assert [{name: item[name] for name in ("seq", "at", "events")} for item in whole["items"]] == kept
    seqs: list[int] = []
    page = client.get("/turns", params={"after": 0, "limit": 5}).json()
    while True:
        seqs += [item["seq"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        page = client.get("/turns", params={"cursor": page["next_cursor"], "limit": 5}).json()
    assert seqs == list(range(1, head + 1))
    assert client.get("/turns", params={"after": head}).json()["items"] == []
    assert client.get("/turns", params={"after": 0, "epoch": "another"}).status_code == 410
    for wrong in ({"after": -1}, {"after": "x"}, {"limit": 0}, {"limit": 501}, {"sinceforever": 1}):
        answer = client.get("/turns", params=wrong)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), wrong
        assert answer.json()["errors"][0]["field"] in wrong


def events_of(response: httpx.Response) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(":")
            if name:
                event[name] = value.removeprefix(" ")
        elif event:
            yield event
            event = {}


def test_server_sent_events_are_the_socket_without_the_way_back(boond: Boond) -> None:
    me = boond.sign_up("outside.sse@example.com")
    client = boond.client(me["access_token"])
    with client.stream("GET", "/live/sse") as stream:
        assert (stream.status_code, stream.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        events = (event for event in events_of(stream) if "data" in event and event.get("event") != "hello")
        ready, snapshot = next(events), next(events)
        assert (ready["event"], snapshot["event"]) == ("ready", "snapshot")
        epoch, head = json.loads(ready["data"])["epoch"], json.loads(snapshot["data"])["seq"]
        assert snapshot["id"] == f"{epoch}:{head}"
        [seq] = spend(client, 1, "S")
        turn = next(event for event in events if event["event"] == "turn")
        assert (turn["id"], json.loads(turn["data"])["seq"]) == (f"{epoch}:{seq}", seq)
        assert json.loads(turn["data"])["events"][0]["data"]["external_id"] == "S0"
    missed = spend(client, 3, "M")
    for how in ({"headers": {"Last-Event-ID": turn["id"]}}, {"params": {"last_event_id": turn["id"]}}):
        with client.stream("GET", "/live/sse", **how) as stream:  # type: ignore[arg-type]
            events = (
                event for event in events_of(stream) if event.get("event") in ("ready", "turn", "snapshot", "reset")
            )
            assert json.loads(next(events)["data"])["resumed"] is True
            assert [json.loads(next(events)["data"])["seq"] for _ in missed] == missed
    ticket = client.post("/live/ticket").json()["ticket"]
    with boond.client().stream("GET", "/live/sse", params={"ticket": ticket}) as stream:
        assert stream.status_code == 200
    assert boond.client().get("/live/sse").status_code == 401
    assert boond.client().get("/live/sse", params={"ticket": ticket}).status_code == 401


def test_a_tenants_back_end_reads_every_turn_of_its_users(boond: Boond, wallet: httpx.Client) -> None:
    begin = wallet.get("/feed", params={"from": "now", "wait_s": 0}).json()["next_cursor"]
    seen: dict[str, list[int]] = defaultdict(list)
    external: set[str] = set()
    over = threading.Event()

    service = boond.token("back-end", "service")

    def read() -> None:
        cursor, reader, quiet = begin, boond.client(service), False
        while not (over.is_set() and quiet):
            page = reader.get("/feed", params={"cursor": cursor, "wait_s": 1, "limit": 50}).json()
            cursor, quiet = page["next_cursor"], not page["items"]
            for item in page["items"]:
                seen[item["user_id"]].append(item["seq"])
                recorded = [event for event in item["events"] if event["type"] == "transaction_recorded"]
                external.update(event["data"]["external_id"] for event in recorded)

    def write(writer: int) -> None:
        client = boond.client(service)
        for i in range(15):
            rows = [
                {**purchase(f"F{writer}-{i}-{user}", 1_000 + i), "user_id": f"feed-user-{user}"} for user in range(8)
            ]
            assert client.post("/transactions/batch", json=rows).status_code == 200

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join(60)
    assert external == {f"F{w}-{i}-{u}" for w in range(4) for i in range(15) for u in range(8)}
    for user in range(8):
        assert list(dict.fromkeys(seen[f"feed-user-{user}"])) == sorted(set(seen[f"feed-user-{user}"]))
        assert set(seen[f"feed-user-{user}"]) == set(range(1, max(seen[f"feed-user-{user}"]) + 1))
    again = wallet.get("/feed", params={"cursor": begin, "wait_s": 0}).json()["items"]
    assert again[0]["user_id"].startswith("feed-user-")


def test_the_feed_is_a_services_alone_and_names_what_is_wrong(boond: Boond, wallet: httpx.Client) -> None:
    me = boond.sign_up("outside.feed@example.com")
    assert boond.client(me["access_token"]).get("/feed").status_code == 403
    assert boond.client().get("/feed").status_code == 401
    for wrong in ({"cursor": "nonsense"}, {"wait_s": 100}, {"limit": 0}, {"from": "yesterday"}):
        answer = wallet.get("/feed", params=wrong)
        assert answer.status_code == 422, (wrong, answer.text)
        assert answer.json()["errors"][0]["field"] in wrong


async def test_pages_of_strangers_and_a_sixth_socket_are_turned_away(boond: Boond) -> None:
    me = boond.sign_up("outside.origin@example.com")
    url = f"ws://127.0.0.1:{boond.port}/api/v1/live"
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{boond.port}.evil.example"):
        ws = await connect(url, origin=origin, subprotocols=["boond.v1"])  # type: ignore[arg-type, list-item]
        assert await code_of(ws) == 4003
    sockets = [await authenticated(boond, {"token": me["access_token"]}) for _ in range(5)]
    assert {ready["t"] for _, ready in sockets} == {"ready"}
    assert (await authenticated(boond, {"token": me["access_token"]}))[1] == 4129
    for ws, _ in sockets:
        await ws.close()


async def test_a_frame_that_is_none_ends_the_socket_with_4008_and_says_why(boond: Boond) -> None:
    me = boond.sign_up("outside.frames@example.com")
    for text in (
        "{",
        '{"t":"dance"}',
        json.dumps({"t": "ack", "seq": 10**9}),
        '{"t":"expense","id":"x"}',
        "x" * 70_000,
    ):
        async with boond.live(me["access_token"]) as (ws, _):
            await receive(ws)
            await ws.send(text)
            assert await code_of(ws) == 4008, text[:40]


async def test_the_client_follows_a_user_in_three_lines(boond: Boond) -> None:
    me = boond.sign_up("outside.client@example.com")
    client = boond.client(me["access_token"])
    got = []
    async with follow(boond.url, me["access_token"]) as live:
        expected = await asyncio.to_thread(lambda: spend(client, 5, "C"))
        async for turn in live:
            got.append(turn.seq)
            if turn.seq == expected[-1]:
                break
    assert got[-5:] == expected


def test_the_document_of_the_socket_names_every_frame(boond: Boond) -> None:
    answer = boond.client().get("/asyncapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert {"/api/v1/live", "/api/v1/expenses/real-time"} <= addresses
    text = json.dumps(document)
    frames = "hello ready snapshot turn reset heartbeat expiring receipt error auth resume expense ack".split()
    assert [name for name in frames if f'"{name}"' not in text] == []
    for code in (4001, 4003, 4008, 4108, 4129, 4200):
        assert str(code) in text


async def test_one_endpoint_counts_every_process(boond: Boond) -> None:
    me = boond.sign_up("outside.metrics@example.com")
    client = boond.client(me["access_token"])

    def exposition() -> str:
        return boond.client().get("/metrics").text

    async with boond.live(me["access_token"]) as (ws, _):
        await receive(ws)
        seqs = await asyncio.to_thread(spend, client, 3, "X")
        await turns_until(ws, seqs[-1])
        await asyncio.to_thread(
            until,
            lambda: all(f'process="{name}' in exposition() for name in ("shard-0", "live-", "api-")),
            "all processes",
        )
        await asyncio.to_thread(
            until,
            lambda: any(
                "live-" in line and "socket" in line and float(line.split()[-1]) >= 1
                for line in exposition().splitlines()
                if not line.startswith("#")
            ),
            "an open socket counted",
        )
