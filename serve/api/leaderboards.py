"""Leaderboards: who takes part by choice, best first, under pseudonyms. Redis answers; without it they are a 503."""

import re
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from adapters.scores.redis_board import BoardsGone, Line
from engine.groups.views import GetGroup
from engine.rewards import leaderboards
from engine.rewards.leaderboards import Score
from engine.rewards.saving_challenges import ChallengesView, GetChallenges
from serve.api.groups import ask_group
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route
from serve.problems import Trouble, field_trouble, unavailable

_KINDS = "no_spend_days|week_52|save_by_date"
_ID = re.compile(rf"(?:{_KINDS})-(?:(?P<month>[0-9]{{4}}-(?:0[1-9]|1[0-2]))|(?P<group>[a-z2-7]{{16}}))")
RECORDS_A_READ = 500


class Place(Struct, frozen=True, kw_only=True):
    """A place on a leaderboard; equal scores share a rank. `you`: it is one's own."""

    rank: int
    pseudonym: str
    score: int
    you: bool


class Leaderboard(Struct, frozen=True, kw_only=True):
    """A page of a leaderboard, best first; `you` are one's own places, wherever they are."""

    leaderboard_id: str
    total: int
    items: list[Place]
    you: list[Place]
    next_cursor: str | None = None


async def show_leaderboard(call: Call) -> Answer:
    """Read a leaderboard of a saving challenge: the tenant's of a month, or a group's for its members."""
    leaderboard_id, tenant = call.path["leaderboard_id"], call.entity_id.partition("/")[0]
    named = _ID.fullmatch(leaderboard_id)
    if named is None:
        raise Trouble(404, f"there is no leaderboard {leaderboard_id!r}", name="not-found")
    if named["group"] is not None:
        await ask_group(call, named["group"], GetGroup(call.entity_id.partition("/")[2]))
    skip = _skip(call.query.cursor)
    mine = await _own(call, leaderboard_id)
    boards = call.services.boards
    if boards is None:
        raise unavailable("Leaderboards need Redis, and there is none here: set BOOND_REDIS_URL.")
    try:
        if not await boards.is_whole(tenant, leaderboard_id):
            await boards.fill(tenant, leaderboard_id, _kept(call, tenant, leaderboard_id))
        total, lines = await boards.page(tenant, leaderboard_id, call.query.limit, skip)
        own = await boards.of(tenant, leaderboard_id, sorted(mine))
    except BoardsGone:
        raise unavailable("Leaderboards cannot be shown now; everything else goes on.") from None
    more = skip + len(lines) < total and bool(lines)
    shown = Leaderboard(
        leaderboard_id=leaderboard_id,
        total=total,
        items=[_place(line, mine) for line in lines],
        you=[_place(line, mine) for line in own],
        next_cursor=str(skip + len(lines)) if more else None,
    )
    return Answer(msgspec.json.encode(shown))


def _skip(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise field_trouble("cursor", "is not a cursor of this list; begin without one")
    return int(cursor)


async def _own(call: Call, leaderboard_id: str) -> set[str]:
    known = msgspec.json.decode((await call.ask(GetChallenges(limit=500))).body, type=ChallengesView)
    return {one.member for one in known.items if one.leaderboard_id == leaderboard_id and one.member is not None}


async def _kept(call: Call, tenant: str, leaderboard_id: str) -> AsyncIterator[Score]:
    """Yield the scores that the database keeps of a leaderboard."""
    kind, after = leaderboards.kind_of(leaderboard_id), None
    while True:
        rows = await call.services.read_model.records(
            tenant, kind, state=leaderboards.SHOWN, limit=RECORDS_A_READ, after=after
        )
        for row in rows:
            yield Score(leaderboard_id, row.record_id, row.sealed.decode(), row.amount)
        if len(rows) < RECORDS_A_READ:
            return
        after = (rows[-1].at, rows[-1].entity_id, rows[-1].record_id)


def _place(line: Line, mine: set[str]) -> Place:
    return Place(rank=line.rank, pseudonym=line.pseudonym, score=line.score, you=line.member in mine)


ROUTES = [
    route(
        "GET /leaderboards/{leaderboard_id}", show_leaderboard, tag="challenges", query=PageQuery, answer=Leaderboard
    ),
]
