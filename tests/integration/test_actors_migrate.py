"""Migrations bring a database to exactly what `actors.schema` says."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
from alembic.autogenerate import compare_metadata
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
