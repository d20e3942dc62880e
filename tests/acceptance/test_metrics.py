"""What an operator scrapes: all processes on one endpoint, two replicas of each kind, shards that are killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.boond import Boond, purchase, running, until

SETTINGS = {"BOOND_SHARDS": "2", "BOOND_API_REPLICAS": "2", "BOOND_LIVE_REPLICAS": "2"}
EVERYBODY = ["api", "api", "live", "live", "shard-0", "shard-1"]


@pytest.fixture(scope="module")
def boond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boond]:
    folder: Path = tmp_path_factory.mktemp("metrics")
    with running(folder / "data", settings=SETTINGS) as started:
        yield started


def scraped(client: httpx.Client, name: str) -> dict[str, float]:
    """Return the samples of a name, added up by process."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name == name:
                process = sample.labels["process"]
                found[process] = found.get(process, 0) + sample.value
    return found


def who(client: httpx.Client, up: int = 1) -> list[str]:
    """Return who is up, or who is not: shards by name, replicas by what they do."""
    found = scraped(client, "boond_up")
    return sorted(p if p.startswith("shard") else p.partition("-")[0] for p, value in found.items() if value == up)


def test_any_replica_answers_for_all_and_a_killed_shard_is_missed_only_while_it_is_away(boond: Boond) -> None:
    client = boond.client(boond.sign_up("asha@example.org")["access_token"])
    until(lambda: who(client) == EVERYBODY, "every process has reported")
    assert client.post("/transactions", json=purchase("T1", 19_725)).status_code == 201
    turns = sum(scraped(client, "boond_shard_turns_total").values())
    assert turns >= 1
    until(
        lambda: (
            sum(scraped(client, "boond_http_requests_total").values()) > 0
            and len(scraped(client, "boond_process_resident_memory_bytes")) == len(EVERYBODY)
        ),
        "every process says what it uses",
    )
    terms = scraped(client, "boond_shard_term")
    for pid in boond.processes("ray::Shard"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: who(client, up=0) != [] or scraped(client, "boond_shard_term") != terms, "the loss is seen")
    until(lambda: who(client) == EVERYBODY, "everybody is back")
    assert {process: term + 1 for process, term in terms.items()} == scraped(client, "boond_shard_term")
    assert client.post("/transactions", json=purchase("T2", 100)).status_code == 201
