"""The client on the real gateway: both shells against the stack without Ray."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from serve import client
from serve.client import Limits, Position, Refused, blocking, connect
from serve.live.protocol import CloseCode
from tests.acceptance.boond import purchase
from tests.support.stack import Stack, stack

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"
QUICK = Limits(backoff_min_s=0.01, backoff_max_s=0.05, move_jitter_s=0.05)


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with stack(database_url, tmp_path) as running:
        yield running


async def pay(running: Stack, *external_ids: str) -> list[int]:
    """Pay as asha; returns the seqs."""
    async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", timeout=30, headers=running.bearer()) as http:
        answers = [await http.post("/transactions", json=purchase(one, 19_725)) for one in external_ids]
    return [answer.json()["seq"] for answer in answers]


async def take(live: client.Live, count: int) -> list[int]:
    """Return the seqs of the next turns."""
    async with asyncio.timeout(20):
        return [(await anext(live)).seq for _ in range(count)]


async def all_gone(running: Stack) -> None:
    """Wait until the gateway holds no socket."""
    async with asyncio.timeout(10):
        while running.live.sockets:
            await asyncio.sleep(0.01)


async def test_turns_come_with_their_events_and_the_snapshot_before_them(running: Stack) -> None:
    async with connect(running.url, running.token()) as live:
        assert live.snapshot is not None
        assert live.snapshot.data["user_id"] == "asha"
        assert live.position is not None
        assert live.position.seq == live.snapshot.seq
        seqs = await pay(running, "T1", "T2")
        turn = await anext(live)
        assert (turn.seq, turn.events[0].type) == (seqs[0], "transaction_recorded")
        assert turn.events[0].data["external_id"] == "T1"
        assert await take(live, 1) == [seqs[1]]
        assert live.position.seq == seqs[1]


async def test_a_stored_position_brings_what_was_missed(running: Stack) -> None:
    async with connect(running.url, running.token()) as live:
        position = live.position
    seqs = await pay(running, "T1", "T2", "T3")
    async with connect(running.url, running.token(), resume=position) as live:
        assert live.snapshot is None
        assert await take(live, 3) == seqs
        assert (live.reconnects, live.resets) == (0, 0)


async def test_a_position_beyond_the_journal_is_told_as_a_reset(running: Stack) -> None:
    async with connect(running.url, running.token(), resume=Position("another", 7)) as live:
        with pytest.raises(client.StreamReset) as told:
            await anext(live)
        assert live.snapshot is told.value.snapshot
        assert live.resets == 1
        assert await pay(running, "T1") == await take(live, 1)


async def test_an_expense_is_answered_and_a_refused_one_raises_its_problem(running: Stack) -> None:
    async with connect(running.url, running.token()) as live:
        receipt = await live.spend(purchase("W1", 19_725))
        assert (receipt["external_id"], receipt["duplicate"]) == ("W1", False)
        assert (await live.spend(purchase("W1", 19_725)))["duplicate"] is True
        with pytest.raises(Refused, match="422") as refused:
            await live.spend(purchase("W2", -1))
        assert refused.value.problem["errors"][0]["field"] == "amount"
        with pytest.raises(ValueError, match="external_id"):
            await live.spend({"amount": 1})
        assert await take(live, 1) == [receipt["seq"]]


async def test_a_moving_server_is_followed_and_nothing_is_missed(running: Stack) -> None:
    async with connect(running.url, running.token(), limits=QUICK) as live:
        for round_ in range(3):
            running.hang_up(CloseCode.MOVING)
            assert await pay(running, f"T{round_}") == await take(live, 1)
        assert live.reconnects == 3
    await all_gone(running)


async def test_a_bad_token_says_what_to_do(running: Stack) -> None:
    with pytest.raises(client.Unauthenticated, match="Log in again"):
        await connect(running.url, "nonsense").__aenter__()
    with pytest.raises(client.Forbidden, match="role user"):
        await connect(running.url, running.token(role="service")).__aenter__()
    with pytest.raises(client.Unreachable, match="HTTP 40"):
        await connect(f"{running.url}/nowhere", running.token()).__aenter__()


async def test_a_ticket_opens_each_line(running: Stack) -> None:
    async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", headers=running.bearer()) as http:

        async def ticket() -> str:
            sold = await http.post("/live/ticket")
            return str(sold.json()["ticket"])

        async with connect(running.url, ticket=ticket, limits=QUICK) as live:
            running.hang_up(CloseCode.TOO_SLOW)
            assert await pay(running, "T1") == await take(live, 1)
            assert live.reconnects == 1


async def test_a_token_that_ends_is_followed_by_a_fresh_one_on_the_same_line(running: Stack) -> None:
    given: list[str] = []

    def token() -> str:
        given.append(running.token(lifetime_s=30 if not given else 900))
        return given[-1]

    async with connect(running.url, token, limits=QUICK) as live, asyncio.timeout(20):
        while len(given) < 2:
            await asyncio.sleep(0.01)
        assert await pay(running, "T1") == await take(live, 1)
        assert live.reconnects == 0
        [connection] = running.live._connections
        assert connection.session.principal is not None
        assert connection.session.principal.expires_at > time.time() + 600


async def test_the_blocking_client_does_the_same(running: Stack) -> None:
    loop = asyncio.get_running_loop()

    def visit() -> int:
        with blocking.connect(running.url, running.token(), limits=QUICK) as live:
            assert live.snapshot is not None
            receipt = live.spend(purchase("B1", 19_725), timeout_s=20)
            with pytest.raises(Refused):
                live.spend(purchase("B2", -1), timeout_s=20)
            assert next(live).seq == receipt["seq"]
            loop.call_soon_threadsafe(running.hang_up, CloseCode.MOVING)
            again = live.spend(purchase("B3", 19_725), timeout_s=20)
            assert next(live).seq == again["seq"]
            assert live.spend(purchase("B4", 19_725), timeout_s=20)["seq"] == next(live.frames()).seq
        with pytest.raises(client.Closed):
            next(live)
        return live.reconnects

    assert await asyncio.to_thread(visit) == 1
    await all_gone(running)


async def test_a_blocking_resume_with_nothing_missed_is_open_at_once(running: Stack) -> None:
    def visit() -> bool:
        with blocking.connect(running.url, running.token(), limits=QUICK) as live:
            position = live.position
        with blocking.connect(running.url, running.token(), resume=position, limits=QUICK) as again:
            return again.position == position

    async with asyncio.timeout(15):
        assert await asyncio.to_thread(visit)


async def test_a_blocking_bad_token_says_what_to_do(running: Stack) -> None:
    def visit() -> None:
        with pytest.raises(client.Unauthenticated, match="Log in again"):
            blocking.connect(running.url, "nonsense").__enter__()

    await asyncio.to_thread(visit)


async def test_the_example_of_the_documentation_runs_and_goes_on_where_it_was(running: Stack, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(PAGE.read_text().split("```python\n")[1].split("```")[0])
    assert await _run_example(running, example, "T1") == ["open Position(", "2 transaction_recorded T1"]
    await pay(running, "T2")
    assert await _run_example(running, example, "T3") == [
        "open Position(",
        "3 transaction_recorded T2",
        "4 transaction_recorded T3",
    ]


async def _run_example(running: Stack, example: Path, external_id: str) -> list[str]:
    """Run it until it has printed the turn of this payment; return its lines."""
    environment = {"BOOND_URL": running.url, "BOOND_TOKEN": running.token(), "PYTHONPATH": str(Path.cwd())}
    process = await asyncio.create_subprocess_exec(
        sys.executable, example, cwd=example.parent, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(30):
            while not lines or not lines[-1].endswith(external_id):
                lines.append((await process.stdout.readline()).decode().strip())
                if len(lines) == 1:
                    await pay(running, external_id)
            stored = example.parent / "position.json"
            while not stored.exists() or not stored.read_bytes():
                await asyncio.sleep(0.01)
    finally:
        process.kill()
        await process.wait()
    return [line[:14] if line.startswith("open") else line for line in lines]


async def test_the_blocking_client_lives_in_greenlets(running: Stack) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gevent.monkey", "--module", "tests.support.greenlets"),
        *(running.url, running.token(), "3"),
        cwd=PAGE.parents[1],
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    assert printed.decode().split("\n") == ["[2, 3, 4, 5, 6]"] * 4 + [""]
    await all_gone(running)
