"""Leaderboards on a real Redis: set absolutely, ranked with ties, filled anew when lost."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from adapters.scores.redis_board import BoardsGone, RedisBoards
from engine.behaviour import OutboxMessage
from engine.events.saving_challenges import SavingChallengeScored
from engine.rewards import leaderboards
from engine.rewards.leaderboards import Score
from serve.embedded.redis import EmbeddedRedis, binary

BOARD = "no_spend_days-2026-11"
AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    program = binary()
    assert program is not None
    made = EmbeddedRedis(tmp_path_factory.mktemp("redis") / "r", program)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def boards(server: EmbeddedRedis, request: pytest.FixtureRequest) -> AsyncIterator[RedisBoards]:
    made = RedisBoards(server.url)
    yield made
    await made.close()


def score(member: str, points: int | None, board: str = BOARD) -> Score:
    return Score(board, member, member.upper(), points)


async def kept(*scores: Score) -> AsyncIterator[Score]:
    for one in scores:
        yield one


async def test_the_same_score_twice_is_one_and_equal_scores_share_a_rank(boards: RedisBoards) -> None:
    for one in (score("a", 3), score("b", 5), score("c", 5), score("a", 3), score("d", 1)):
        await boards.put("t1", one)
    total, lines = await boards.page("t1", BOARD, 10)
    assert total == 4
    assert [(line.rank, line.pseudonym, line.score) for line in lines] == [
        (1, "C", 5),
        (1, "B", 5),
        (3, "A", 3),
        (4, "D", 1),
    ]
    assert await boards.page("t1", BOARD, 2, 2) == (4, lines[2:])
    assert await boards.of("t1", BOARD, ["a", "nobody"]) == [lines[2]]


async def test_who_gives_up_is_gone_and_tenants_are_apart(boards: RedisBoards) -> None:
    await boards.put("t2", score("a", 3))
    await boards.put("t2", score("a", None))
    assert await boards.page("t2", BOARD, 10) == (0, [])
    await boards.put("t2", score("b", 1))
    assert (await boards.page("t3", BOARD, 10))[0] == 0


async def test_a_lost_leaderboard_is_filled_and_what_came_meanwhile_stays(boards: RedisBoards) -> None:
    assert not await boards.is_whole("t4", BOARD)
    await boards.put("t4", score("a", 9))
    await boards.put("t4", score("gone", None))
    await boards.fill("t4", BOARD, kept(score("a", 3), score("b", 4), score("gone", 7)))
    assert await boards.is_whole("t4", BOARD)
    _, lines = await boards.page("t4", BOARD, 10)
    assert [(line.member, line.score) for line in lines] == [("a", 9), ("b", 4)]


async def test_a_leaderboard_that_nobody_is_on_leaves_nothing_however_many_are_asked_for(
    boards: RedisBoards, server: EmbeddedRedis
) -> None:
    redis = Redis.from_url(server.url)
    before = await redis.dbsize()
    await boards.fill("t6", "week_52-1999-01", kept())
    assert await boards.page("t6", "week_52-1999-01", 10) == (0, [])
    assert await redis.dbsize() == before
    await redis.aclose()


async def test_the_outbox_sets_the_score_of_the_senders_tenant(boards: RedisBoards) -> None:
    event = SavingChallengeScored(challenge_id="c", at=AT, leaderboard_id=BOARD, member="m", pseudonym="Fox", score=4)
    row = leaderboards.message("o1", event)
    await boards.deliver(OutboxMessage("t5/asha", row.channel, 1, 0, row.outbox_id, row.body, AT, 0))
    _, lines = await boards.page("t5", BOARD, 10)
    assert [(line.member, line.pseudonym, line.score) for line in lines] == [("m", "Fox", 4)]


async def test_without_a_redis_no_leaderboard_is_shown(tmp_path: Path) -> None:
    boards = RedisBoards(f"unix://{tmp_path}/none")
    for asked in (
        boards.is_whole("t", BOARD),
        boards.page("t", BOARD, 1),
        boards.of("t", BOARD, ["a"]),
        boards.fill("t", BOARD, kept(score("a", 1))),
    ):
        with pytest.raises(BoardsGone):
            await asked
    await boards.close()
