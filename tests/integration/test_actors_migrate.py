"""Migrations bring a database to exactly what `actors.schema` says."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from actors import migrate
from actors.schema import PARTITIONS, metadata
from tests.support.postgres import new_database, server_url


def _is_partition(name: str | None, kind: str) -> bool:
    return kind == "table" and name is not None and "_p" in name and name.split("_p")[-1].isdigit()


def test_the_migrated_database_is_what_the_schema_says(database_url: str) -> None:
    with migrate.engine(database_url).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_object": lambda _, name, kind, *__: not _is_partition(name, kind), "compare_type": True},
        )
        differences = compare_metadata(context, metadata)
    assert differences == []


def test_journal_and_transactions_are_partitioned_by_slot(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        query = "SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass"
        partitions = [connection.execute(query, (table,)).fetchone() for table in ("journal", "transactions")]
    assert partitions == [(PARTITIONS,)] * 2


def test_upgrading_twice_and_at_once_is_upgrading_once() -> None:
    with new_database(server_url()) as url:
        assert migrate.current(url) is None
        with ThreadPoolExecutor(4) as threads:
            revisions = list(threads.map(migrate.upgrade, [url] * 4))
        assert set(revisions) == {migrate.current(url)}
        assert migrate.upgrade(url) == revisions[0]
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM instance").fetchone() == (1,)


def test_timers_of_the_first_schema_wake_when_they_are_due() -> None:
    with new_database(server_url()) as url:
        with migrate.engine(url).begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
        with psycopg.connect(url) as first:
            first.execute("INSERT INTO timers VALUES (1, 'main/u', 't', '2026-01-02T00:00:00Z', 'x')")
        migrate.upgrade(url)
        with psycopg.connect(url) as newest:
            assert newest.execute("SELECT wakes = due, tries FROM timers").fetchall() == [(True, 0)]
            assert newest.execute("SELECT clock_ahead_us FROM instance").fetchall() == [(0,)]
