"""The socket as a phone sees it."""

import asyncio
import json

import httpx

from tests.acceptance.boond import Boond, purchase, receive, turns_until


async def test_a_payment_arrives_on_the_socket_with_its_receipt(boond: Boond) -> None:
    me = boond.sign_up("live.one@example.com")
    client = boond.client(me["access_token"])
    async with boond.live(me["access_token"]) as (ws, ready):
        assert ready["resumed"] is False
        snapshot = await receive(ws)
        assert (snapshot["t"], snapshot["seq"]) == ("snapshot", snapshot["data"]["seq"])
        receipt = (await asyncio.to_thread(client.post, "/transactions", json=purchase("T1", 19_725))).json()
        turn = await receive(ws)
        assert (turn["t"], turn["seq"]) == ("turn", receipt["seq"])
        assert turn["events"][0] == {"type": "transaction_recorded", "data": receipt}


async def test_resume_brings_every_missed_turn_and_no_more(boond: Boond) -> None:
    me = boond.sign_up("live.two@example.com")
    client = boond.client(me["access_token"])
    for i in range(130):
        assert client.post("/transactions", json=purchase(f"T{i}", 1_001 + i)).status_code == 201
    head = client.get("/overview").json()["seq"]
    async with boond.live(me["access_token"]) as (_, first):
        epoch = first["epoch"]
    async with boond.live(me["access_token"], {"epoch": epoch, "seq": 0}) as (ws, ready):
        assert (ready["resumed"], ready["head"]) == (True, head)
        assert await turns_until(ws, head) == list(range(1, head + 1))
        await asyncio.to_thread(client.post, "/transactions", json=purchase("LATER", 1_001))
        assert await turns_until(ws, head + 1) == [head + 1]
    async with boond.live(me["access_token"], {"epoch": "another", "seq": 3}) as (ws, ready):
        assert ready["resumed"] is False
        assert {(await receive(ws))["t"], (await receive(ws))["t"]} == {"reset", "snapshot"}


async def test_an_expense_on_the_travel_apps_socket_gets_its_receipt_and_its_turn(boond: Boond) -> None:
    me = boond.sign_up("live.three@example.com")
    async with boond.live(me["access_token"], path="/api/v1/expenses/real-time") as (ws, _):
        await receive(ws)
        await ws.send(json.dumps({"t": "expense", "id": "c1", "data": purchase("W1", 19_725)}))
        frames = {frame["t"]: frame for frame in (await receive(ws), await receive(ws))}
        assert frames["receipt"]["id"] == "c1"
        assert frames["receipt"]["data"] == frames["turn"]["events"][0]["data"]
        await ws.send(json.dumps({"t": "expense", "id": "c2", "data": purchase("W2", -1)}))
        error = await receive(ws)
        assert (error["t"], error["id"], error["problem"]["status"]) == ("error", "c2", 422)


async def test_both_sockets_of_a_person_see_every_turn(boond: Boond) -> None:
    me = boond.sign_up("live.four@example.com")
    client: httpx.Client = boond.client(me["access_token"])
    async with boond.live(me["access_token"]) as (one, _), boond.live(me["access_token"]) as (two, _):
        await receive(one)
        await receive(two)
        seq = (await asyncio.to_thread(client.post, "/transactions", json=purchase("T1", 19_725))).json()["seq"]
        assert await turns_until(one, seq) == await turns_until(two, seq) == [seq]


async def test_a_bad_token_is_closed_with_4001(boond: Boond) -> None:
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{boond.port}/api/v1/live", compression=None) as ws:
        assert (await receive(ws))["t"] == "hello"
        await ws.send(json.dumps({"t": "auth", "token": "nonsense"}))
        await ws.wait_closed()
        assert ws.close_code == 4001
