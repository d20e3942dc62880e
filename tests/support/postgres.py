"""The Postgres that tests use: real, and empty databases of it made by copying a migrated one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


def server_url() -> str:
    """Return the URL of a server whose role may create databases (BOOND_TEST_POSTGRES_URL)."""
    url = os.environ.get("BOOND_TEST_POSTGRES_URL")
    if not url:
        raise RuntimeError("set BOOND_TEST_POSTGRES_URL to a Postgres in which tests may create databases")
    return url


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
