"""Leaderboards over REST, on a real Redis that is lost meanwhile; the records of the journal stand for the database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.read_model import Record
from adapters.scores.redis_board import RedisBoards
from serve.embedded.redis import EmbeddedRedis, binary
from tests.support.memory_journal import MemoryJournal
from tests.support.rest import Rest, serving

BOARD = "no_spend_days-2026-11"


class Records:
    """The records of a memory journal, read as `ReadModel` does."""

    journal: MemoryJournal

    async def records(self, tenant: str, kind: str, *, state: str, limit: int, after: Any) -> list[Record]:
        assert (tenant, after) == ("main", None)
        found = [
            Record(entity_id, row.record_id, row.state, row.at, row.amount, row.currency, 1, row.sealed)
            for (entity_id, of, _), row in self.journal.store.records.items()
            if (of, row.state) == (kind, state)
        ]
        assert len(found) < limit
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    program = binary()
    assert program is not None
    made = EmbeddedRedis(tmp_path / "r", program)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def rest(tmp_path: Path, server: EmbeddedRedis) -> AsyncIterator[Rest]:
    boards, records = RedisBoards(server.url), Records()
    async with serving(tmp_path, read_model=records, boards=boards) as client:  # type: ignore[arg-type]
        records.journal = client.journal
        yield client
    await boards.close()


async def call(rest: Rest, user: str, line: str, body: Any = None) -> tuple[int, Any]:
    method, path = line.split()
    answer = await rest.http.request(method, f"/api/v1{path}", json=body, headers=rest.bearer(user))
    return answer.status_code, answer.json()


async def compete(rest: Rest, user: str, **fields: Any) -> None:
    status, _ = await call(
        rest,
        user,
        "POST /challenges",
        {"kind": "no_spend_days", "board": "tenant", "pseudonym": user.upper(), **fields},
    )
    assert status == 201


async def test_a_leaderboard_shows_pseudonyms_and_one_s_own_place(rest: Rest) -> None:
    await compete(rest, "asha")
    await compete(rest, "ben")
    status, board = await call(rest, "asha", f"GET /leaderboards/{BOARD}")
    assert (status, board["total"]) == (200, 2)
    assert sorted((one["rank"], one["pseudonym"], one["you"]) for one in board["items"]) == [
        (1, "ASHA", True),
        (1, "BEN", False),
    ]
    assert [one["pseudonym"] for one in board["you"]] == ["ASHA"]
    assert "user_id" not in str(board)


async def test_it_is_filled_again_after_redis_was_lost(rest: Rest, server: EmbeddedRedis) -> None:
    await compete(rest, "asha")
    first = await call(rest, "asha", f"GET /leaderboards/{BOARD}")
    server.stop()
    status, problem = await call(rest, "asha", f"GET /leaderboards/{BOARD}")
    assert (status, problem["type"]) == (503, "/problems/unavailable")
    assert (await call(rest, "asha", "POST /jars", {"name": "Goa"}))[0] == 201
    server.start()
    assert await call(rest, "asha", f"GET /leaderboards/{BOARD}") == first


async def test_pages_follow_one_another(rest: Rest) -> None:
    for user in ("asha", "ben", "cai"):
        await compete(rest, user)
    _, first = await call(rest, "dee", f"GET /leaderboards/{BOARD}?limit=2")
    _, rest_of_it = await call(rest, "dee", f"GET /leaderboards/{BOARD}?limit=2&cursor={first['next_cursor']}")
    names = [one["pseudonym"] for one in [*first["items"], *rest_of_it["items"]]]
    assert sorted(names) == ["ASHA", "BEN", "CAI"]
    assert rest_of_it["next_cursor"] is None
    assert first["you"] == []


async def test_a_groups_leaderboard_is_for_its_members(rest: Rest) -> None:
    _, group = await call(rest, "asha", "POST /groups", {"name": "Goa"})
    await compete(rest, "asha", board="group", group_id=group["group_id"])
    path = f"GET /leaderboards/no_spend_days-{group['group_id']}"
    assert (await call(rest, "asha", path))[1]["total"] == 1
    assert (await call(rest, "eve", path))[0] == 404


@pytest.mark.parametrize("name", ["none", "no_spend_days-2026", "week_52-", f"swim-{'a' * 16}"])
async def test_unknown_leaderboards_are_not_there(rest: Rest, name: str) -> None:
    assert (await call(rest, "asha", f"GET /leaderboards/{name}"))[0] == 404


async def test_without_a_redis_there_are_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        status, problem = await call(client, "asha", f"GET /leaderboards/{BOARD}")
    assert (status, "BOOND_REDIS_URL" in problem["detail"]) == (503, True)
