"""Connections to Postgres as the runtime wants them: autocommit, prepared, plans that never scan a journal."""

from typing import Any

from psycopg import AsyncConnection
from psycopg.types.numeric import Int8BinaryDumper
from psycopg_pool import AsyncConnectionPool

from actors import arrays

CONNECT_TIMEOUT_S = 5

_OPTIONS = {
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "idle_in_transaction_session_timeout": "30s",
}
"""Every statement finds its rows by key: a planner without statistics must not prefer to read a whole partition."""


def _kwargs(name: str) -> dict[str, Any]:
    return {
        "autocommit": True,
        "application_name": name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "options": " ".join(f"-c {key}={value}" for key, value in _OPTIONS.items()),
        "prepare_threshold": 0,
    }


async def _configure(connection: AsyncConnection[Any]) -> None:
    """Send every integer as bigint, so that a statement is prepared once and not once a mixture of widths."""
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    arrays.register(connection)


async def connect(url: str, name: str) -> AsyncConnection[Any]:
    """Return a new connection, `name` being its `application_name`. Raises `psycopg.OperationalError`."""
    connection = await AsyncConnection.connect(url, **_kwargs(name))
    await _configure(connection)
    return connection


def pool(url: str, name: str, *, size_max: int = 4, timeout_s: float = 5.0) -> AsyncConnectionPool[Any]:
    """Return a pool that is not open yet; it connects on first need and waits at most `timeout_s` for a connection."""
    return AsyncConnectionPool(
        url,
        kwargs=_kwargs(name),
        min_size=1,
        max_size=size_max,
        timeout=timeout_s,
        configure=_configure,
        open=False,
        check=AsyncConnectionPool.check_connection,
    )
