"""What a busy instance at debug tells: the story of each request in its logs and its trace, and no secret."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from serve.embedded.run_folder import RunFolder
from tests.acceptance.boond import PASSWORD, Boond, receive, running, until
from tests.acceptance.test_money_moves import code_sent, funded, wrong
from tests.support.collector import Collector, tree

CARD = "4539 1488 0343 6467"
WORDS = "dinner with the minister"
SETTINGS = {"BOOND_LOG_LEVEL": "debug", "BOOND_LOG_FORMAT": "json"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where spans go."""
    with Collector() as listening:
        yield listening


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Boond]:
    """A Boond that logs all it has to say, and traces what its caller traces."""
    folder: Path = tmp_path_factory.mktemp("logs")
    settings = SETTINGS | {"BOOND_TRACES": collector.url, "BOOND_TRACES_RATIO": "0"}
    with running(folder / "data", settings=settings) as instance:
        yield instance


def lines(boond: Boond) -> list[dict[str, Any]]:
    """Return every line of every process of ours."""
    found = []
    for path in (boond.data / "logs").glob("*.log*"):
        if not path.name.startswith("postgres"):
            found += [json.loads(line) for line in path.read_text().splitlines()]
    return found


def story(boond: Boond, request_id: str) -> set[tuple[str, str]]:
    """Return (process, message) of what is known by a request id."""
    return {(line["process"], line["message"]) for line in lines(boond) if line.get("request_id") == request_id}


def purchase(external_id: str, **more: Any) -> dict[str, Any]:
    """Return the body of a purchase that says more than it should."""
    return {
        "external_id": external_id,
        "source": "upi",
        "amount": 19_725,
        "currency": "INR",
        "description": f"{WORDS} card {CARD}",
        "reference": CARD.replace(" ", ""),
        **more,
    }


async def test_one_id_tells_the_story_of_an_event_from_http_to_the_socket(talkative: Boond) -> None:
    tokens = talkative.sign_up("story@example.com")
    client = talkative.client(tokens["access_token"])
    asked = {"X-Request-ID": "story-1"}
    async with talkative.live(tokens["access_token"]) as (ws, _):
        assert (await receive(ws))["t"] == "snapshot"
        answer = await asyncio.to_thread(client.post, "/transactions", json=purchase("s1"), headers=asked)
        assert (answer.status_code, answer.headers.get_list("x-request-id")) == (201, ["story-1"])
        turn = await receive(ws)
        while turn["t"] != "turn" or turn["seq"] != answer.json()["seq"]:
            turn = await receive(ws)
        assert turn["request_id"] == "story-1"
    told = {
        ("api", "POST /transactions 201"),
        ("shard-0", "turn committed with 0 others"),
        ("live", "pushed to 1 sockets"),
    }
    until(lambda: told <= story(talkative, "story-1"), "the story of story-1")


async def test_one_event_is_one_trace_across_three_processes(talkative: Boond, collector: Collector) -> None:
    tokens = talkative.sign_up("traced@example.com")
    client = talkative.client(tokens["access_token"])
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    caller = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    async with talkative.live(tokens["access_token"]) as (ws, _):
        assert (await receive(ws))["t"] == "snapshot"
        await asyncio.to_thread(client.get, "/overview")
        answer = await asyncio.to_thread(client.post, "/transactions", json=purchase("t1"), headers=caller)
        assert answer.status_code == 201
        names = {"POST /transactions", "submit", "call", "lane wait", "turn", "decide", "commit", "feed", "push"}
        until(lambda: names <= {span.name for span in collector.trace(trace_id)}, "the spans of the event")
    spans = [span for span in collector.trace(trace_id) if span.name != "deliver"]
    assert {span.name: span.process for span in spans} == {
        "POST /transactions": "api",
        "submit": "api",
        "lane wait": "api",
        "call": "api",
        "turn": "shard-0",
        "queue wait": "shard-0",
        "facts read": "shard-0",
        "decide": "shard-0",
        "commit": "shard-0",
        "feed": "shard-0",
        "push": "live",
    }
    above = tree(spans, "caller")
    assert (above["POST /transactions"], above["turn"]) == ("caller", "submit")
    assert {above[name] for name in ("queue wait", "facts read", "decide", "commit", "feed", "push")} == {"turn"}
    assert {span.trace_id for span in collector.spans} == {trace_id}


async def test_what_one_request_moves_between_entities_is_one_story(talkative: Boond) -> None:
    client = talkative.client(talkative.sign_up("giver@example.com")["access_token"])
    group_id = (await asyncio.to_thread(client.post, "/groups", json={"name": WORDS})).json()["group_id"]
    given = await asyncio.to_thread(
        client.post, f"/groups/{group_id}/contributions", json={"amount": 5_000}, headers={"X-Request-ID": "story-2"}
    )
    assert given.status_code == 201, given.text

    def entities() -> set[str]:
        known = [line for line in lines(talkative) if line.get("request_id") == "story-2"]
        return {line["entity"] for line in known if line["message"].startswith("turn committed")}

    until(lambda: f"main/~{group_id}" in entities() and len(entities()) == 2, "turns of the giver and of the group")


def test_refused_requests_have_a_line_too(talkative: Boond) -> None:
    for path, line in (("/overview", "GET /overview 401"), ("/nowhere", "")):
        answer = httpx.get(f"{talkative.url}/api/v1{path}", headers={"X-Request-ID": f"no{path.replace('/', '-')}"})
        assert answer.headers.get_list("x-request-id") == [f"no{path.replace('/', '-')}"]
        if line:
            until(lambda line=line: ("api", line) in story(talkative, "no-overview"), line)  # type: ignore[misc]


def _ask(boond: Boond) -> tuple[list[str], str, str]:
    """Ask for all that has a secret in it, well and badly; return the secrets, a token and a ticket."""
    email, stranger = "secret.person@example.com", "someone.else@example.com"
    tokens = boond.sign_up(email, phone="+919812345670")
    client = boond.client(tokens["access_token"])
    again = client.post("/token/refresh", json={"refresh_token": tokens["refresh_token"]}).json()
    client.post("/token/refresh", json={"refresh_token": "R" * 20 + "efresh-TOKEN-nobody-has"})
    for password in (PASSWORD, "wrong horse battery 9!"):
        client.post("/login", json={"email": email, "password": password})
    client.post("/signup", json={"email": email, "password": PASSWORD, "name": "Asha"})
    client.post("/signup", json={"email": stranger, "password": 7, "name": WORDS})
    for body in (purchase("b1"), purchase("b2", amount="many"), purchase("b1", amount=1), {"description": WORDS}):
        client.post("/transactions", json=body)
    client.post("/transactions", content=f'{{"description": "{WORDS}", '.encode())
    client.post("/expenses/sync-transaction", json={"userId": WORDS, "description": CARD})
    client.get("/transactions", params={"q": WORDS, "cursor": CARD})
    client.get(f"/jars/{WORDS}")
    httpx.get(f"{boond.url}/api/v1/overview", headers={"Authorization": f"Bearer {tokens['access_token']}x"})
    jar_id = funded(client, 50_000, name=WORDS)
    asked = client.post(f"/jars/{jar_id}/withdraw", json={"amount": 100, "destination": WORDS}).json()
    code = code_sent(boond, tokens["user_id"], asked["challenge_id"])
    for tried in (wrong(code), code):
        client.post(f"/jars/{jar_id}/withdraw/confirm", json={"challenge_id": asked["challenge_id"], "code": tried})
    group_id = client.post("/groups", json={"name": WORDS}).json()["group_id"]
    invite = client.post(f"/groups/{group_id}/invites", json={}).json()["code"]
    client.post("/groups/join", json={"code": invite})
    ticket = client.post("/live/ticket").json()["ticket"]
    httpx.get(f"{boond.url}/api/v1/live/sse", params={"ticket": ticket + "x"})
    texts = [WORDS, CARD, CARD.replace(" ", ""), email, stranger, "+919812345670", PASSWORD, "wrong horse"]
    kept = [tokens["access_token"], tokens["refresh_token"], again["access_token"], again["refresh_token"]]
    codes = ["efresh-TOKEN", f'"{code}"', f"={code}", f" {code}", invite, ticket]
    return [*texts, *kept, *codes], again["access_token"], ticket


async def _talk(boond: Boond, token: str, ticket: str) -> None:
    """Say on sockets what should not be said."""
    url = boond.url.replace("http", "ws")
    async with connect(f"{url}/api/v1/live?ticket={ticket}", compression=None) as ws:
        await ws.send(json.dumps({"t": "auth", "token": token[:-2]}))
        await ws.wait_closed()
    async with boond.live(token) as (ws, _):
        await ws.send(json.dumps({"t": "expense", "id": WORDS, "data": purchase("b9")}))
        await ws.send(json.dumps({"t": "expense", "id": "x", "data": {"description": WORDS}}))
        while (await receive(ws))["t"] != "receipt":
            pass
        await ws.send(f'{{"t":"{WORDS}","token":"{token}"}}')
        await ws.wait_closed()


def test_no_log_file_of_a_busy_instance_holds_a_secret(talkative: Boond) -> None:
    secrets, token, ticket = _ask(talkative)
    asyncio.run(_talk(talkative, token, ticket))
    last = {"X-Request-ID": "the-last-line"}
    httpx.get(f"{talkative.url}/api/v1/health/live", headers=last)
    until(lambda: bool(story(talkative, "the-last-line")), "the last line")
    session = RunFolder(talkative.data).ray
    files = [
        *(talkative.data / "logs").iterdir(),
        *(path for path in session.rglob("*") if path.is_file() and path.suffix in (".log", ".err", ".out", ".txt")),
        talkative.data.parent / f"{talkative.data.name}.log",
    ]
    assert {"api.log", "live.log", "shard-0.log", "up.log", "postgres.log"} <= {path.name for path in files}
    found = {(secret, path.name): None for path in files for secret in secrets if secret.encode() in path.read_bytes()}
    assert not found
