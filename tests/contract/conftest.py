"""Each contract is held against the double and the real thing."""

from collections.abc import AsyncIterator, Callable

import pytest

from actors.journal import Journal
from actors.postgres import PostgresJournal
from tests.support.memory_journal import MemoryJournal, MemoryStore

OpenJournal = Callable[[], Journal]


@pytest.fixture(params=["memory", "postgres"])
async def open_journal(request: pytest.FixtureRequest) -> AsyncIterator[OpenJournal]:
    """A way to open journals on one store, as several incarnations do."""
    opened: list[Journal] = []
    store = MemoryStore()
    url = request.getfixturevalue("database_url") if request.param == "postgres" else ""

    def open_one() -> Journal:
        journal: Journal = PostgresJournal(url) if url else MemoryJournal(store)
        opened.append(journal)
        return journal

    yield open_one
    for journal in opened:
        await journal.close()


@pytest.fixture
async def journal(open_journal: OpenJournal) -> Journal:
    return open_journal()
