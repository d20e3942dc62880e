"""Fixtures that every kind of test may ask for."""

import gc
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from actors import migrate
from tests.support.postgres import new_database, server_url


@pytest.fixture(scope="session")
def migrated_template() -> Iterator[str]:
    """The name of a database at the newest schema, to be copied."""
    with new_database(server_url()) as url:
        migrate.upgrade(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database_url(migrated_template: str) -> Iterator[str]:
    """A fresh database at the newest schema."""
    with new_database(server_url(), migrated_template) as url:
        yield url


def pytest_collection_finish() -> None:
    """Leave what importing made out of every later collection: thousands of tests would walk it again and again."""
    gc.collect()
    gc.freeze()
