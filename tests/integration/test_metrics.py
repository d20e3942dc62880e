"""One endpoint for every process, over HTTP: gateways, REST, shards on Postgres, and shard 0 killed in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from serve.observe import observatory
from serve.observe.catalogue import FAMILIES, REPORT_AGE, UP
from serve.observe.exposition import MEDIA_TYPE
from tests.integration.test_stack import frames_until, pay
from tests.support.stack import Stack, stack

Found = dict[str, Metric]


@pytest.fixture
async def running(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    monkeypatch.setattr(observatory, "REPORT_EVERY_S", 0.1)
    monkeypatch.setattr(observatory, "REUSED_S", 0.0)
    async with stack(database_url, tmp_path, shards=2) as started:
        yield started


@pytest.fixture
async def http(running: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", timeout=30) as client:
        yield client


async def scrape(http: httpx.AsyncClient) -> Found:
    answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


async def until(http: httpx.AsyncClient, condition: Callable[[Found], bool]) -> Found:
    async with asyncio.timeout(20):
        while not condition(found := await scrape(http)):
            await asyncio.sleep(0.02)
    return found


def values(found: Found, name: str, **labels: str) -> dict[str, float]:
    """Return the samples of this name by process, of those that have the labels."""
    family = found.get(name.removesuffix("_total")) or found.get(name.removesuffix("_count"))
    return {
        sample.labels["process"]: sample.value
        for sample in (family.samples if family is not None else ())
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def roles(found: Found) -> dict[str, float]:
    """Return who is up, replicas by what they do."""
    return {process.partition("-")[0] if process[:5] != "shard" else process: up
            for process, up in values(found, UP.name).items()}  # fmt: skip


EVERYBODY = {"api": 1, "live": 1, "shard-0": 1, "shard-1": 1}


async def test_a_payment_and_its_push_are_counted_wherever_they_pass(running: Stack, http: httpx.AsyncClient) -> None:
    async with connect(f"ws://127.0.0.1:{running.port}/api/v1/live", compression=None) as socket:
        await socket.send(json.dumps({"t": "auth", "token": running.token()}))
        await frames_until(socket, "snapshot")
        receipt = await pay(http, running, "T1")
        await frames_until(socket, "turn")
        await http.get("/no-such-path")
        found = await until(http, lambda f: sum(values(f, "boond_live_turns_pushed_total", source="feed").values()) > 0)
    assert roles(found) == EVERYBODY
    assert sum(values(found, "boond_shard_turns_total").values()) == receipt["seq"]
    assert sum(values(found, "boond_shard_commit_seconds_count").values()) > 0
    [(api, requests)] = values(found, "boond_http_requests_total", route="/transactions", status="201").items()
    assert (api[:4], requests) == ("api-", 1)
    assert list(values(found, "boond_http_requests_total", route="(none)", status="404").values()) == [1]
    [(live, opened)] = {p: v for p, v in values(found, "boond_live_sockets_opened_total").items() if v}.items()
    assert (live[:5], opened) == ("live-", 1)
    assert values(found, "boond_live_sockets", state="open")[live] == 1
    assert values(found, "boond_live_push_lag_seconds_count")[live] >= 1
    assert values(found, "boond_lane_call_seconds_count").keys() >= {api, live, "shard-0"}
    assert values(found, "boond_process_resident_memory_bytes")[api] > 0


async def test_every_family_without_labels_is_there_from_the_first_scrape(http: httpx.AsyncClient) -> None:
    found = await until(http, lambda f: roles(f) == EVERYBODY)
    plain = {family.name.removesuffix("_total") for family in FAMILIES.values() if not family.labels}
    assert plain <= found.keys()
    assert {UP.name, REPORT_AGE.name} <= plain


async def test_a_scrape_outlives_the_shard_that_keeps_the_reports(running: Stack, http: httpx.AsyncClient) -> None:
    await until(http, lambda f: roles(f) == EVERYBODY)
    await running.shards.kill(0)
    found = await scrape(http)
    assert roles(found) == {"api": 1, "shard-0": 0, "shard-1": 1}
    await running.shards.start(0)
    found = await until(http, lambda f: roles(f) == EVERYBODY)
    assert values(found, "boond_shard_term")["shard-0"] == 2


async def test_what_is_switched_off_counts_nothing_and_has_no_endpoint(database_url: str, tmp_path: Path) -> None:
    async with (
        stack(database_url, tmp_path, metrics=False) as running,
        httpx.AsyncClient(base_url=f"{running.url}/api/v1", timeout=30) as http,
    ):
        await pay(http, running, "T1")
        answer = await http.get("/metrics")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert "BOOND_METRICS" in answer.json()["detail"]
        assert running.live.series() == []
