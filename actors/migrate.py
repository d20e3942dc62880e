"""Bring a database to the schema of this release, or ask where it stands. Needs no alembic.ini."""

from importlib.resources import as_file, files

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

_LOCK = 0x626F6F6E64
"""Key of the advisory lock ("boond"): of two upgrades at once the second waits, then finds nothing to do."""


def engine(url: str) -> sa.Engine:
    """Return an engine for any libpq URL or conninfo, sockets in a folder included."""
    return sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=sa.NullPool)


def upgrade(url: str) -> str:
    """Apply the migrations that are missing, all in one transaction; return the revision. Idempotent."""
    with as_file(files("actors") / "migrations") as scripts, engine(url).begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = Config()
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return ScriptDirectory.from_config(config).get_current_head() or ""


def current(url: str) -> str | None:
    """Return the revision of a database; None when it has no schema yet."""
    with engine(url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
