"""The Postgres that tests use: yours at `BOOND_TEST_POSTGRES_URL`, else an embedded one for the session.

Databases are copies of a migrated one: empty, and cheap.
"""

import atexit
import functools
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from serve.embedded.postgres import EmbeddedPostgres


@functools.cache
def server_url() -> str:
    """Return the address of a server on which the caller may make and drop databases. It ends with this process."""
    if given := os.environ.get("BOOND_TEST_POSTGRES_URL"):
        return given
    folder = Path(tempfile.mkdtemp(prefix="boond-test-"))
    if os.geteuid() == 0:
        # Its socket must be reached by the user Postgres runs as.
        folder.chmod(0o711)
    parameters = {"max_connections": "200", "shared_buffers": "64MB"}
    server = EmbeddedPostgres(folder / "data", folder / "pg", parameters=parameters)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server.start()


def database_of(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def new_database(url: str, template: str | None = None) -> Iterator[str]:
    """Give the URL of a new database, dropped at the end with whoever is still connected to it."""
    name = f"boond_test_{secrets.token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(create)
    try:
        yield database_of(url, name)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
