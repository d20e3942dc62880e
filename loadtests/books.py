"""Reads what the reconciliation compares: `GET /turns` of everyone, the rest of `GET /feed`, the files of a run."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from loadtests.feed import page_of, recorded, turns_of
from loadtests.outcomes import FEED, PHONES, Outcomes
from loadtests.reconcile import Feed, Heard

_AT_ONCE = 16
_PATIENCE_S = 60.0
_AGAIN_S = 0.5
_FEED_POLLS_MAX = 20_000
_QUIET_S = 2.0
"""An empty page after so long a wait is the end of the feed: turns of open transactions are held back until then."""


class NotRead(RuntimeError):
    """A call of the reconciliation was refused to the end; the message has the last answer."""


class Reader:
    """A service's calls; what says so is tried again. Use as `async with`."""

    def __init__(self, url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers=headers, timeout=30, trust_env=False, transport=transport
        )

    async def __aenter__(self) -> "Reader":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: Any) -> bytes:
        """Return the body of a 200. Raises `NotRead`."""
        give_up = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            try:
                answer = await self._client.get(path, params=query)
                said = f"{answer.status_code} {answer.text[:300]}"
            except httpx.TransportError as error:
                answer, said = None, repr(error)
            if answer is not None and answer.status_code == httpx.codes.OK:
                return answer.content
            is_final = answer is not None and answer.status_code not in (429, 503)
            if is_final or asyncio.get_running_loop().time() > give_up:
                raise NotRead(f"GET {path} {query}: {said}")
            await asyncio.sleep(_AGAIN_S)

    async def turns(self, user: str) -> list[tuple[int, str | None]]:
        """Return every turn of a user: seq and the external id it records, if it does."""
        found: list[tuple[int, str | None]] = []
        query: dict[str, Any] = {"after": 0}
        while True:
            page = turns_of(await self.get("/turns", user_id=user, limit=500, **query))
            found += [(turn.seq, recorded(turn)) for turn in page.items]
            if page.next_cursor is None:
                return found
            query = {"cursor": page.next_cursor}

    async def turns_of_all(self, users: Iterable[str]) -> dict[str, list[tuple[int, str | None]]]:
        """Return the turns of many users, a few at a time."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def read(user: str) -> tuple[str, list[tuple[int, str | None]]]:
            async with gate:
                return user, await self.turns(user)

        return dict(await asyncio.gather(*map(read, users)))

    async def end_of_feed(self) -> str:
        """Return the cursor behind everything that the feed has now."""
        return page_of(await self.get("/feed", **{"from": "now", "limit": 1, "wait_s": 0})).next_cursor

    async def feed_from(self, cursor: str) -> list[tuple[str, int]]:
        """Return (user, seq) of everything behind a cursor, until a page is empty."""
        found: list[tuple[str, int]] = []
        for _ in range(_FEED_POLLS_MAX):
            page = page_of(await self.get("/feed", cursor=cursor, limit=500, wait_s=_QUIET_S))
            if not page.items:
                return found
            found += [(item.user_id, item.seq) for item in page.items]
            cursor = page.next_cursor
        raise NotRead(f"GET /feed had not ended after {_FEED_POLLS_MAX} pages")


def fed(folder: Path, rest: Sequence[tuple[str, int]], users: Mapping[str, str]) -> Feed:
    """Return what the run's feed reader took and what was left for the runner, of these users only."""
    lines = (folder / FEED).read_text(encoding="utf-8").splitlines()
    taken = [(user, int(seq)) for user, seq in (line.split() for line in lines)]
    return Feed([item for item in (*taken, *rest) if item[0] in users])


def heard_by_holder(log: Path, positions: Sequence[tuple[str, int, int]]) -> list[Heard]:
    """Return the listeners of one holder, from its log and its last report."""
    turns: list[dict[int, str | None]] = [{} for _ in positions]
    for line in log.read_text(encoding="utf-8").splitlines():
        index, seq, name = line.split()
        turns[int(index)][int(seq)] = None if name == "-" else name
    return [Heard(user, start, seq, turns[n]) for n, (user, start, seq) in enumerate(positions)]


def heard_by_phones(folder: Path, outcomes: Outcomes) -> list[Heard]:
    """Return the listeners among Locust's phones."""
    turns: dict[str, dict[int, str | None]] = {}
    for line in (folder / PHONES).read_text(encoding="utf-8").splitlines():
        user, seq, name = line.split()
        turns.setdefault(user, {})[int(seq)] = None if name == "-" else name
    return [Heard(user, start, seq, turns.get(user, {}), until) for user, start, seq, until in outcomes.phones]
