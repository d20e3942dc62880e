"""Play a stream of wallet events against a running server through its public API, for a person to watch."""

import asyncio
import contextlib
import json
import logging
import pathlib
import secrets
import sys
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from serve.client import Live, Turn, connect
from serve.client.address import is_loopback
from serve.demo.account import Account
from serve.demo.errors import DemoError, first_cause
from serve.demo.lines import HEADING, Summary, resent_line, spend_line
from serve.demo.people import Person, people
from serve.demo.stream import DemoEvent, stream

BUDGETED = ("food", "groceries", "transport", "shopping", "travel")
_PUSH_WAIT_S = 15.0


class Screen:
    """Where lines go: coloured above a progress bar on a terminal, plain elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        utf8 = (self.console.encoding or "").lower().startswith("utf")
        self.symbol = "₹" if utf8 else "Rs "
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=self.console, disable=not self.console.is_terminal, transient=True)

    def say(self, line: str, style: str = "") -> None:
        """Print one line, never wrapped."""
        self.console.print(Text(line, style=style), soft_wrap=True)


class Player:
    """One person at play: sends their events in order, and waits for the push of each before the next."""

    def __init__(self, account: Account, url: str, screen: Screen, summary: Summary) -> None:
        self.account = account
        self._url = url
        self._screen = screen
        self._summary = summary
        self._jars: dict[str, tuple[str, int]] = {}
        self._bodies: dict[str, dict[str, Any]] = {}
        self._awaited: dict[str, asyncio.Future[float]] = {}

    async def play(self, events: Sequence[DemoEvent], pace_s: float, advance: Any) -> None:
        """Send all events; `advance()` is called after each."""
        async with connect(self._url, self.account.fresh_token) as live, asyncio.TaskGroup() as group:
            reading = group.create_task(self._read(live))
            for event in events:
                await self._send(event)
                advance()
                await asyncio.sleep(pace_s)
            reading.cancel()
        self._summary.reconnects += live.reconnects

    async def _read(self, live: Live) -> None:
        async for item in live.frames():
            if isinstance(item, Turn):
                self._on_turn(item, time.perf_counter())
            else:
                self._on_snapshot(item.data)

    def _on_snapshot(self, overview: Mapping[str, Any]) -> None:
        jars = overview["jars"]
        items = jars["items"] if isinstance(jars, dict) else jars
        self._jars = {jar["jar_id"]: (jar["name"], jar["balance"]) for jar in items}

    def _on_turn(self, turn: Turn, arrived: float) -> None:
        for event in turn.events:
            if event.type != "transaction_recorded":
                continue
            receipt = event.data
            for posting in receipt["jar_postings"]:
                name, balance = self._jars.get(posting["jar_id"], ("jar", 0))
                self._jars[posting["jar_id"]] = (name, balance + posting["amount"])
            awaited = self._awaited.get(receipt["external_id"])
            if awaited is not None and not awaited.done():
                awaited.set_result(arrived)

    async def _send(self, event: DemoEvent) -> None:
        external_id = event.body["external_id"]
        if not event.resent:
            self._bodies[external_id] = {**event.body, "occurred_at": datetime.now(UTC).isoformat()}
            self._awaited[external_id] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        answer = await self.account.post(self._bodies[external_id])
        self._summary.sent += 1
        self._summary.reply_ms.append((time.perf_counter() - started) * 1e3)
        if not answer.is_success:
            self._summary.refused.append(f"{external_id}: {answer.status_code} {answer.text[:200]}")
            self._screen.say(f"{self.account.person.key:<6} refused: {answer.status_code} {answer.text[:200]}", "red")
        elif event.resent:
            self._tell_resent(answer.json())
        else:
            await self._tell(answer.json(), started)

    def _tell_resent(self, receipt: Mapping[str, Any]) -> None:
        self._summary.duplicates += bool(receipt.get("duplicate"))
        self._screen.say(resent_line(self.account.person.key, receipt, self._screen.symbol), "dim")

    async def _tell(self, receipt: Mapping[str, Any], started: float) -> None:
        push_ms: float | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PUSH_WAIT_S):
                push_ms = (await self._awaited[receipt["external_id"]] - started) * 1e3
        del self._awaited[receipt["external_id"]]
        self._summary.add(receipt)
        if push_ms is None:
            self._summary.missed_pushes += 1
        else:
            self._summary.push_ms.append(push_ms)
        line = spend_line(self.account.person.key, receipt, self._jars, push_ms, self._screen.symbol)
        self._screen.say(line, "yellow" if receipt["alerts"] else "")


def planned_spending(events: Sequence[DemoEvent]) -> dict[str, int]:
    """Return what a person's events will spend in each category that gets a budget, in paise."""
    planned: Counter[str] = Counter()
    for event in events:
        if not event.resent and event.expected_category in BUDGETED:
            planned[event.expected_category] += event.body["amount"]
    return dict(planned)


async def play(url: str, crowd: Sequence[Person], events: Sequence[DemoEvent], run_id: str, pace_s: float) -> Summary:
    """Play `events` as `crowd` at `url`, all people at once, each in order; prints as it goes, returns the figures."""
    screen, summary, base = Screen(), Summary(), url.rstrip("/")
    by_person: dict[str, list[DemoEvent]] = defaultdict(list)
    for event in events:
        by_person[event.person].append(event)
    async with httpx.AsyncClient(base_url=f"{base}/api/v1", timeout=30, trust_env=not is_loopback(base)) as client:
        players = []
        for person in crowd:
            account = Account(client, person, run_id)
            is_new = await account.enter()
            await account.make_ready(planned_spending(by_person[person.key]))
            screen.say(f"{person.email} {'signed up' if is_new else 'is back'}", "dim")
            players.append(Player(account, base, screen, summary))
        screen.say(HEADING, "bold")
        started = time.perf_counter()
        with screen.progress as progress:
            task = progress.add_task("wallet events", total=len(events))
            async with asyncio.TaskGroup() as group:
                for player in players:
                    mine = by_person[player.account.person.key]
                    group.create_task(player.play(mine, pace_s, lambda: progress.advance(task)))
        summary.elapsed_s = time.perf_counter() - started
    for line in summary.lines(screen.symbol):
        screen.say(line, "bold")
    return summary


def main(
    url: str,
    data: pathlib.Path | None = None,
    *,
    events: int = 150,
    users: int = 3,
    seed: int | None = None,
    pace_s: float = 0.05,
) -> None:
    """Play the demo against a server at `url`; raises `DemoError` when an event was refused or a push never came.

    A run has an id of its own, so that it adds to what earlier runs left in the same data folder; `seed` None takes one
    from that id. With `data` the figures are also written to `demo-last-run.json` in that folder.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    run_id = secrets.token_hex(4)
    crowd = people(users)
    chosen = zlib.crc32(run_id.encode()) if seed is None else seed
    sys.stdout.write(f"run {run_id}, seed {chosen}: {events} events of {users} people at {url}\n")
    sys.stdout.flush()
    sent = stream(chosen, run_id, [person.key for person in crowd], events)
    try:
        summary = asyncio.run(play(url, crowd, sent, run_id, pace_s))
    except httpx.HTTPError as failed:
        raise DemoError(f"{url}: {failed!r}") from failed
    except BaseExceptionGroup as failed:
        cause = first_cause(failed)
        raise DemoError(f"{url}: {cause!r}") from cause
    if data is not None:
        figures = {"run_id": run_id, "seed": chosen, "url": url, **summary.figures()}
        (data / "demo-last-run.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if summary.refused or summary.missed_pushes:
        raise DemoError(f"{len(summary.refused)} events were refused and {summary.missed_pushes} pushes never came")
