"""One running Boond for the tests that only use it; those that kill it start their own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.boond import Boond, running


@pytest.fixture(scope="session")
def boond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boond]:
    """A Boond on an empty data folder."""
    folder: Path = tmp_path_factory.mktemp("boond")
    with running(folder / "data") as instance:
        yield instance


@pytest.fixture
def person(boond: Boond, request: pytest.FixtureRequest) -> httpx.Client:
    """A client of a person who has just signed up (rounding to 10 rupees)."""
    name = request.node.name.replace("[", "-").replace("]", "")[:60]
    signed_up = boond.sign_up(f"{abs(hash(name))}.{name[:20]}@example.com")
    client = boond.client(signed_up["access_token"])
    client.headers["X-User"] = signed_up["user_id"]
    return client


@pytest.fixture
def wallet(boond: Boond) -> httpx.Client:
    """A client of a wallet's back end."""
    return boond.client(boond.token("wallet", "service"))
