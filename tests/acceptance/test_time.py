"""Time that passes, letters that travel, and codes that are sent: through `boond up`, whatever is killed meanwhile."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.acceptance.boond import Boond, running, until
from tests.support.postgres import new_database, server_url


def sent(boond: Boond, user_id: str) -> list[dict[str, Any]]:
    """Return what was sent to a person, the newest last."""
    lines = [line for file in (boond.data / "outbox").glob("*.jsonl") for line in file.read_text().splitlines()]
    return [told for told in map(json.loads, lines) if told["user_id"] == user_id]


def ok(answer: httpx.Response) -> Any:
    """Return the body of an answer that is not a refusal."""
    assert answer.status_code < 300, answer.text
    return answer.json()


def emergency_unlock(boond: Boond, me: dict[str, Any], jar: str) -> None:
    """Open a locked jar in 24 hours, with the code from the outbox; the code is gone once it is used."""
    client, user_id = boond.client(me["access_token"]), me["user_id"]
    challenge = ok(client.post(f"{jar}/unlock"))
    until(lambda: bool(sent(boond, user_id)), "the code is in the outbox")
    last = sent(boond, user_id)[-1]
    assert last["challenge_id"] == challenge["challenge_id"]
    ok(client.post(f"{jar}/unlock/confirm", json={"challenge_id": last["challenge_id"], "code": last["code"]}))
    until(lambda: not [told for told in sent(boond, user_id) if "code" in told], "the code is gone")


def test_a_timer_rings_once_although_everything_is_killed_while_the_clock_leaps(tmp_path: Path) -> None:
    with new_database(server_url()) as url:
        settings = {"BOOND_POSTGRES_URL": url, "BOOND_SANDBOX": "1", "BOOND_SHARDS": "2"}
        with running(tmp_path / "data", settings=settings) as boond:
            me = boond.sign_up("patient@example.com")
            client = boond.client(me["access_token"])
            jar = f"/jars/{ok(client.get('/jars'))['items'][0]['jar_id']}"
            ends = datetime.now(UTC) + timedelta(days=30)
            ok(client.post(f"{jar}/lock", json={"until": ends.isoformat()}))
            emergency_unlock(boond, me, jar)
            for pid in boond.processes("ray::Shard"):
                os.kill(pid, signal.SIGKILL)
            operator = boond.client(boond.token("ops", "admin"))
            leap = ok(operator.post("/sandbox/clock", json={"advance_to": (ends + timedelta(days=1)).isoformat()}))
            assert leap["ahead_s"] > 30 * 86_400
            boond.kill()
            port, data = boond.port, boond.data
        with running(data, port, settings) as again:
            operator = again.client(again.token("ops", "admin"))
            until(lambda: ok(operator.get("/sandbox/clock"))["timers_due"] == 0, "every timer has rung", 60)
            mine = again.client(again.token(me["user_id"]))
            assert ok(mine.get(jar))["locked_until"] is None
            assert again.client(me["access_token"]).get("/overview").status_code == 200
        with psycopg.connect(url) as connection:
            rung = connection.execute(
                "SELECT command_id, count(*) FROM journal WHERE command_id LIKE 'timer:lock:%' GROUP BY 1"
            ).fetchall()
            assert [count for _, count in rung] == [1]


def test_a_contribution_reaches_the_group_although_shards_are_killed(tmp_path: Path) -> None:
    with running(tmp_path / "data", settings={"BOOND_SHARDS": "2"}) as boond:
        asha, ben = (boond.client(boond.sign_up(f"{name}@example.com")["access_token"]) for name in ("asha", "ben"))
        group = f"/groups/{ok(asha.post('/groups', json={'name': 'Goa'}))['group_id']}"
        until(lambda: bool(ok(asha.get("/groups"))["items"]), "the founder knows of the group")
        code = ok(asha.post(f"{group}/invites", json={}))["code"]
        ok(ben.post("/groups/join", json={"code": code}))
        until(lambda: bool(ok(ben.get("/groups"))["items"]), "the member knows of the group")
        paid = 0
        for number in range(1, 7):
            for client in (asha, ben):
                ok(client.post(f"{group}/contributions", json={"amount": 100 * number}))
                paid += 100 * number
            if number % 2 == 0:
                for pid in boond.processes("ray::Shard"):
                    os.kill(pid, signal.SIGKILL)
        until(lambda: ok(asha.get(group))["balance"] == paid, "all contributions have arrived", 60)
        shares = {member["share"] for member in ok(ben.get(group))["members"]}
        assert shares == {paid // 2}
