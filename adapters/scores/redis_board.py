"""Leaderboards in Redis: a sorted set of scores and a hash of pseudonyms each.

They are a copy. What a turn scores is set here by the outbox, absolutely, so that twice is once. A leaderboard that
Redis does not have whole (it began empty) is filled from the records of the database first: what the outbox has put
meanwhile is newer and stays.
"""

from collections.abc import AsyncIterable, Awaitable, Iterable
from typing import Any, cast

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.behaviour import OutboxMessage
from engine.rewards import leaderboards
from engine.rewards.leaderboards import Score

ANSWER_S = 1.0
_FILL = "if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 1 then redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end"
"""Add a member that nothing is known of: in one step, so that a newer word is never overwritten by an older."""


class BoardsGone(Exception):
    """Redis does not answer: no leaderboard can be shown now. Nothing is lost."""


class Line(Struct, frozen=True):
    """A member's place. Equal scores have equal ranks."""

    rank: int
    member: str
    pseudonym: str
    score: int


class RedisBoards:
    """Leaderboards at a Redis URL. `close` it in the loop that used it."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    async def deliver(self, message: OutboxMessage) -> None:
        """Set a score, or take a member off: the handler of the outbox's channel `score`. Raises `RedisError`."""
        tenant = message.entity_id.partition("/")[0]
        await self.put(tenant, leaderboards.read(message.body))

    async def put(self, tenant: str, score: Score) -> None:
        """Set a score. Raises `RedisError`."""
        scores, names, _ = _keys(tenant, score.leaderboard_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipe: Any = pipeline
            if score.score is None:
                # The name stays, empty: what fills a leaderboard anew leaves a member alone that is known here.
                pipe.hset(names, score.member, "")
                pipe.zrem(scores, score.member)
            else:
                pipe.hset(names, score.member, score.pseudonym)
                pipe.zadd(scores, {score.member: score.score})
            await pipe.execute()

    async def is_whole(self, tenant: str, leaderboard_id: str) -> bool:
        """Return whether a leaderboard was filled since Redis began. Raises `BoardsGone`."""
        try:
            return bool(await self._redis.exists(_keys(tenant, leaderboard_id)[2]))
        except (RedisError, OSError) as error:
            raise BoardsGone(str(error)) from error

    async def fill(self, tenant: str, leaderboard_id: str, known: AsyncIterable[Score]) -> None:
        """Fill a leaderboard from what the database keeps; of one that is empty nothing stays. Raises `BoardsGone`."""
        scores, names, whole = _keys(tenant, leaderboard_id)
        try:
            fill = self._redis.register_script(_FILL)
            found = False
            async for one in known:
                found = True
                await fill(keys=[scores, names], args=[one.member, one.pseudonym, one.score or 0])
            if found:
                await self._redis.set(whole, 1)
        except (RedisError, OSError) as error:
            raise BoardsGone(str(error)) from error

    async def page(self, tenant: str, leaderboard_id: str, limit: int, skip: int = 0) -> tuple[int, list[Line]]:
        """Return how many take part, and a page of them, the best first. Raises `BoardsGone`."""
        scores, names, _ = _keys(tenant, leaderboard_id)
        try:
            total = int(await self._redis.zcard(scores))
            found = cast(
                "list[tuple[str, float]]",
                await self._redis.zrevrange(scores, skip, skip + limit - 1, withscores=True),
            )
            return total, await self._lines(scores, names, found)
        except (RedisError, OSError) as error:
            raise BoardsGone(str(error)) from error

    async def of(self, tenant: str, leaderboard_id: str, members: Iterable[str]) -> list[Line]:
        """Return the places of these members, those of them who take part. Raises `BoardsGone`."""
        scores, names, _ = _keys(tenant, leaderboard_id)
        try:
            found = [(member, await self._redis.zscore(scores, member)) for member in members]
            return await self._lines(scores, names, [(m, float(s)) for m, s in found if s is not None])
        except (RedisError, OSError) as error:
            raise BoardsGone(str(error)) from error

    async def _lines(self, scores: str, names: str, found: list[tuple[str, float]]) -> list[Line]:
        if not found:
            return []
        asked = self._redis.hmget(names, [member for member, _ in found])
        shown = await cast("Awaitable[list[Any]]", asked)
        better: dict[float, int] = {}
        lines = []
        for (member, score), pseudonym in zip(found, shown, strict=True):
            if score not in better:
                better[score] = int(await self._redis.zcount(scores, f"({score}", "+inf"))
            lines.append(Line(better[score] + 1, member, str(pseudonym or ""), int(score)))
        return lines


def _keys(tenant: str, leaderboard_id: str) -> tuple[str, str, str]:
    base = f"boond:board:{tenant}:{leaderboard_id}"
    return base, f"{base}:names", f"{base}:whole"
