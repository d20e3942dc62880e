"""A stale term commits nothing, however its process was stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from actors.journal import DataRejected, Fenced
from actors.placement import claim_layout, stream_id
from actors.postgres import PostgresJournal
from tests.support.rows import turn

_ROOT = Path(__file__).parents[2]


class ShardProcess:
    """A shard in another process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def line(self) -> str:
        """Return its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, payments: int) -> None:
        """Tell it to make payments."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{payments}\n")
        self.process.stdin.flush()

    def read(self) -> str:
        """Ask it for the balance; return the line it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write("read\n")
        self.process.stdin.flush()
        return self.line()


@contextmanager
def shard_process(url: str, first: int) -> Iterator[ShardProcess]:
    """Start one; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.shard_process", url, str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        yield ShardProcess(process)
    finally:
        process.kill()
        process.communicate()


def _rows(url: str) -> list[tuple[int, int, str]]:
    with psycopg.connect(url) as connection:
        query = "SELECT seq, term, command_id FROM journal WHERE entity_id = 'main/u' ORDER BY seq"
        return list(connection.execute(query).fetchall())


def test_a_stopped_shard_that_is_continued_after_a_take_over_commits_nothing(database_url: str) -> None:
    with shard_process(database_url, 0) as old:
        assert old.line() == "term 1"
        old.ask(3)
        assert [old.line() for _ in range(3)] == ["done"] * 3
        os.kill(old.process.pid, signal.SIGSTOP)
        old.ask(5)
        with shard_process(database_url, 100) as new:
            assert new.line() == "term 2"
            new.ask(2)
            assert [new.line() for _ in range(2)] == ["done"] * 2
            taken_over = _rows(database_url)
            os.kill(old.process.pid, signal.SIGCONT)
            assert {old.line() for _ in range(5)} <= {"unavailable", "fenced", ""}
            assert old.process.wait(timeout=20) == 71
            assert _rows(database_url) == taken_over
            new.ask(1)
            assert new.line() == "done"
    rows = _rows(database_url)
    assert [seq for seq, _, _ in rows] == list(range(1, 8))
    assert [term for _, term, _ in rows] == [1] * 4 + [2] * 3


def test_a_stopped_shard_that_is_continued_after_a_take_over_answers_no_read_from_its_memory(database_url: str) -> None:
    with shard_process(database_url, 0) as old:
        assert old.line() == "term 1"
        old.ask(1)
        assert old.line() == "done"
        assert old.read() == 'read {"balance":100,"turns":2,"seq":2}'
        os.kill(old.process.pid, signal.SIGSTOP)
        with shard_process(database_url, 100) as new:
            assert new.line() == "term 2"
            new.ask(1)
            assert new.line() == "done"
            os.kill(old.process.pid, signal.SIGCONT)
            assert old.read() in ("unavailable", "fenced", "")
            assert old.process.wait(timeout=20) == 71
            assert new.read() == 'read {"balance":200,"turns":3,"seq":3}'


async def test_a_backend_that_holds_the_lock_of_the_shard_is_ended_by_the_take_over(database_url: str) -> None:
    """A stopped process can be inside a transaction: its lock lives as long as its backend."""
    old, new = PostgresJournal(database_url), PostgresJournal(database_url)
    stale = await old.claim(0, 1, "old")
    async with old._writer.statement() as connection:
        await connection.execute("BEGIN")
        await connection.execute("SELECT 1 FROM shards WHERE shard = 0 FOR SHARE")
    term = await new.claim(0, 1, "new")
    assert term == stale + 1
    await new.commit(0, term, [turn("u", 1)])
    with pytest.raises(Fenced):
        await old.resume(0, stale)
    await new.commit(0, term, [turn("u", 2)])
    await old.close()
    await new.close()


async def test_a_new_layout_fences_every_shard_of_the_old_one(database_url: str) -> None:
    assert await claim_layout(database_url, 4, "first")
    journals = [PostgresJournal(database_url) for _ in range(4)]
    terms = [await journal.claim(shard, 4, "old") for shard, journal in enumerate(journals)]
    assert not await claim_layout(database_url, 4, "again")
    for shard, journal in enumerate(journals):
        await journal.commit(shard, terms[shard], [turn(f"u{shard}", 1)])
    assert await claim_layout(database_url, 2, "second")
    for shard, journal in enumerate(journals):
        with pytest.raises(Fenced):
            await journal.commit(shard, terms[shard], [turn(f"u{shard}", 2)])
        with pytest.raises(Fenced, match="2 shards"):
            await journal.claim(shard, 4, "old again")
        await journal.close()


async def test_the_stream_id_stays(database_url: str) -> None:
    first = await stream_id(database_url)
    await claim_layout(database_url, 3, "x")
    assert await stream_id(database_url) == first != ""


async def test_a_turn_that_cannot_even_be_sent_is_the_commands_fault(database_url: str) -> None:
    journal = PostgresJournal(database_url)
    term = await journal.claim(0, 1, "a")
    with pytest.raises(DataRejected):
        await journal.commit(0, term, [turn("u", 2**63)])
    await journal.commit(0, term, [turn("u", 1)])
    await journal.close()


async def test_a_key_too_long_for_an_index_is_the_commands_fault(database_url: str) -> None:
    journal = PostgresJournal(database_url)
    term = await journal.claim(0, 1, "a")
    long = "tx:" + os.urandom(4_000).hex()
    with pytest.raises(DataRejected):
        await journal.commit(0, term, [turn("u", 1, long)])
    await journal.commit(0, term, [turn("u", 1)])
    await journal.close()
