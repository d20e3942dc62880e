"""`boond rates import`: exchange rates from a file into the database, beside a running Boond or without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from actors.rates import store
from adapters.rates.csv_file import CsvFile
from serve.embedded.postgres import EmbeddedPostgres
from serve.embedded.run_folder import AlreadyRunning, RunFolder, exclusive
from serve.settings import Settings
from serve.up import migrate


def import_file(settings: Settings, path: Path) -> str:
    """Store the rates of a file and return what was done, in words. Raises `WrongFile` and stores nothing then."""
    source = CsvFile(path)
    rates = source.rates()
    with _database(settings) as url:
        try:
            stored = store(url, rates)
        except psycopg.Error as error:
            raise RuntimeError(f"the rates were not stored: {error}") from error
    done = f"{stored.added} rates added, {stored.changed} changed, {stored.same} known already"
    if source.left_out:
        done += f"; left out, as ISO 4217 lists them no more: {', '.join(source.left_out)}"
    return done


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """Give the URL of the instance's migrated database; the embedded one is started where no Boond runs."""
    if settings.postgres_url:
        migrate(settings.postgres_url)
        yield settings.postgres_url
        return
    data = settings.data_folder
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = RunFolder(data)
    try:
        with exclusive(data):
            run.make()
            with EmbeddedPostgres(data, run.postgres) as server:
                migrate(server.url)
                yield server.url
    except AlreadyRunning:
        yield EmbeddedPostgres(data, run.postgres).url
