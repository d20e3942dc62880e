"""Groups and leaderboards through `boond up`: two shards' worth of letters, a real Redis that is killed."""

import os
import signal

import httpx

from tests.acceptance.boond import Boond, until


def member(boond: Boond, name: str) -> httpx.Client:
    return boond.client(boond.sign_up(f"{name}@groups.example.com")["access_token"])


def shares(client: httpx.Client, group_id: str) -> list[int]:
    return [one["share"] for one in client.get(f"/groups/{group_id}").json()["members"]]


def test_a_group_saves_buys_and_pays_out_through_real_shards(boond: Boond) -> None:
    asha, ben = member(boond, "asha"), member(boond, "ben")
    group_id = asha.post("/groups", json={"name": "Goa"}).json()["group_id"]
    code = asha.post(f"/groups/{group_id}/invites", json={}).json()["code"]
    assert ben.post("/groups/join", json={"code": code}).status_code == 200
    for client, amount in ((asha, 20_000), (ben, 10_000)):
        assert client.post(f"/groups/{group_id}/contributions", json={"amount": amount}).status_code == 201
    until(lambda: shares(asha, group_id) == [20_000, 10_000], "both contributions are credited")
    until(lambda: asha.get("/groups").json()["items"][0]["share"] == 20_000, "the group's answer is posted")
    tent = asha.post(f"/groups/{group_id}/purchases", json={"amount": 15_000, "description": "Tent"}).json()
    path = f"/groups/{group_id}/purchases/{tent['proposal_id']}/approve"
    until(lambda: any(a["type"] == "group" for a in ben.get("/alerts").json()["items"]), "Ben is asked")
    assert ben.post(path, json={}).json()["status"] == "done"
    assert shares(asha, group_id) == [10_000, 5_000]
    until(lambda: ben.get("/groups").json()["items"][0]["share"] == 5_000, "Ben's share follows")

    def left() -> bool:
        # While the sandbox host debits, the share cannot come back yet: the person tries again.
        ben.post(f"/groups/{group_id}/leave")
        return not ben.get("/groups").json()["items"]

    until(left, "Ben's share is paid out and he is gone")
    assert ben.get(f"/groups/{group_id}").status_code == 404
    assert shares(asha, group_id) == [10_000]


def test_a_leaderboard_survives_the_loss_of_redis(boond: Boond) -> None:
    one = member(boond, "cai")
    begun = one.post("/challenges", json={"kind": "no_spend_days", "board": "tenant", "pseudonym": "Fox"}).json()
    path = f"/leaderboards/{begun['leaderboard_id']}"

    def shown() -> bool:
        answer = one.get(path)
        return answer.status_code == 200 and [p["pseudonym"] for p in answer.json()["you"]] == ["Fox"]

    until(shown, "the score is on the leaderboard")
    (redis,) = [pid for pid in boond.processes("") if b"redis-server" in _command(pid)]
    os.kill(redis, signal.SIGKILL)
    assert one.post("/jars", json={"name": "Goa"}).status_code == 201
    until(shown, "the leaderboard is filled again")
    assert [pid for pid in boond.processes("") if b"redis-server" in _command(pid)] != [redis]


def _command(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[0]
    except OSError:
        return b""
