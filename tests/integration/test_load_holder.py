"""The holder of load tests against the real gateway: it must see every turn, whatever its lines do."""

import asyncio
import io
import json
import subprocess
import sys
from pathlib import Path

import httpx

from loadtests.crowd import Crowd, Holding
from loadtests.lines import Weather
from tests.support.stack import Stack, stack

USERS = 12


def tokens(running: Stack) -> tuple[tuple[str, str], ...]:
    return tuple((f"u{n}", running.token(f"u{n}")) for n in range(USERS))


async def spend(client: httpx.AsyncClient, running: Stack, first: int, count: int) -> None:
    body = [
        {
            "external_id": f"lt-{number}",
            "source": "upi",
            "amount": 1_000 + number,
            "currency": "INR",
            "user_id": f"u{number % USERS}",
            "metadata": {"sent_ns": "1"},
        }
        for number in range(first, first + count)
    ]
    headers = running.bearer("wallet", "service")
    answer = await client.post("/api/v1/transactions/batch", json=body, headers=headers)
    assert all("seq" in result for result in answer.json()["results"])


async def heads(client: httpx.AsyncClient, running: Stack) -> dict[str, int]:
    found = {}
    for user in (f"u{n}" for n in range(USERS)):
        found[user] = (await client.get("/api/v1/overview", headers=running.bearer(user))).json()["seq"]
    return found


async def test_the_holder_sees_every_turn_on_bad_lines_and_after_a_storm(database_url: str, tmp_path: Path) -> None:
    log = io.StringIO()
    weather = Weather(
        goes=0.3, resets=0.3, lags=0.1, silent=0.1, every_s=0.2, away_s=(0.0, 0.1), lag_s=(0.1, 0.5), half_open_s=0.2
    )
    async with (
        stack(database_url, tmp_path) as running,
        httpx.AsyncClient(base_url=running.url, timeout=20) as client,
    ):
        crowd = Crowd(Holding(url=running.url, tokens=tokens(running), weather=weather, seed=3), log)
        assert await crowd.open(2 * USERS, per_s=500) == 2 * USERS
        for first in range(0, 240, 60):
            await spend(client, running, first, 60)
        storm = await crowd.storm(2 * USERS, jitter_s=0.1)
        await spend(client, running, 240, 60)
        targets = await heads(client, running)
        behind = await crowd.settle(targets, within_s=20)
        tally, seen = crowd.tally, {one.user: (one.position.start, one.position.seq) for one in crowd.listeners}
        pushed = {line.split()[2] for line in log.getvalue().splitlines()}
        await crowd.close()
    assert behind == 0
    assert {user: seq for user, (_, seq) in seen.items()} == targets
    assert (tally.out_of_order, tally.resets, tally.protocol_errors) == (0, 0, [])
    assert tally.resumed > 0
    assert storm.returned == storm.dropped > 0
    assert {f"lt-{number}" for number in range(300)} <= pushed
    assert tally.push.total + tally.caught_up.total == tally.turns >= 600


async def test_a_token_that_is_refused_is_not_tried_again(database_url: str, tmp_path: Path) -> None:
    async with stack(database_url, tmp_path) as running:
        crowd = Crowd(Holding(url=running.url, tokens=(("nobody", "not.a.token"),)))
        assert await crowd.open(1, per_s=10, within_s=0.5) == 0
        await crowd.close()
    assert (crowd.tally.closed, crowd.tally.dialled) == ({"4001": 1}, 1)


async def test_the_holder_obeys_a_line_at_a_time_and_reports(database_url: str, tmp_path: Path) -> None:
    async with stack(database_url, tmp_path) as running:
        listed = tmp_path / "tokens"
        listed.write_text("".join(f"{user} {token}\n" for user, token in tokens(running)))
        commands: list[dict[str, object]] = [
            {"do": "open", "sockets": 5, "rate": 100},
            {"do": "report"},
            {"do": "stop"},
        ]
        process = await _run(["--url", running.url, "--tokens", str(listed), "--commands"], commands)
    opened, report, stopped = [json.loads(line)["answer"] for line in process.splitlines()]
    assert opened == 5
    assert (report["open"], report["tally"]["entered"], report["tally"]["closed"]) == (5, 5, {})
    assert [user for user, _, _ in stopped["positions"]] == ["u0", "u1", "u2", "u3", "u4"]


async def _run(arguments: list[str], commands: list[dict[str, object]]) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.holder", *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    said = "".join(json.dumps(command) + "\n" for command in commands)
    out, _ = await asyncio.wait_for(process.communicate(said.encode()), 30)
    return out.decode()
