"""The journal on Postgres: one connection writes, one reads for turns, one for what may wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable, UniqueViolation

from actors import sql
from actors.arrays import BigInts, Bytes, Texts, Times
from actors.columns import columns, fired_columns, message_columns
from actors.connections import connect
from actors.journal import (
    Conflict,
    DataRejected,
    DueTimer,
    Fenced,
    JournalDown,
    JournalError,
    KnownCommand,
    Question,
    Reading,
    SentMessage,
    Snapshot,
    StoredTurn,
    TenantPosition,
    TenantTurn,
    TurnWrite,
)
from actors.slots import slot_of, slots_of
from actors.tenant_turns import first_unsettled, newest_of_tenant, turns_of_tenant
from engine.behaviour import OutboxMessage

STATEMENT_TIMEOUT_S = 30.0
_END_WAIT_MS = 5_000
_DATA_CLASSES = ("22", "23", "54")
"""SQLSTATE classes that blame a value: data exceptions, integrity violations, program limits (a key too long)."""


def _translate(error: Exception, connection: AsyncConnection[Any]) -> JournalError:
    """Say what a failed statement means for a shard."""
    if not isinstance(error, psycopg.Error):
        return JournalDown(str(error)) if isinstance(error, OSError | TimeoutError) else DataRejected(str(error))
    if isinstance(error, UniqueViolation) and (error.diag.table_name or "").startswith("journal"):
        return Conflict(str(error))
    state = error.sqlstate
    if state is not None and state[:2] in _DATA_CLASSES:
        return DataRejected(str(error))
    not_sent = state is None and isinstance(error, psycopg.DataError | psycopg.ProgrammingError)
    return DataRejected(str(error)) if not_sent and not connection.closed else JournalDown(str(error))


class _Line:
    """One connection, made again on next use after it was lost; statements on it take turns."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection[Any] | None = None

    async def connection(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            try:
                self._connection = await connect(self._url, self._name)
            except (psycopg.Error, OSError) as error:
                raise JournalDown(f"cannot connect to Postgres: {error}") from error
        return self._connection

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Give the connection; its errors come out as `JournalError`, and after `JournalDown` it is closed."""
        async with self._lock:
            connection = await self.connection()
            try:
                async with asyncio.timeout(STATEMENT_TIMEOUT_S):
                    yield connection
            except JournalError:
                raise
            except asyncio.CancelledError:
                await self.close()
                raise
            except Exception as error:
                meaning = _translate(error, connection)
                if isinstance(meaning, JournalDown):
                    await self.close()
                raise meaning from error

    async def rows(self, query: str, parameters: dict[str, Any]) -> list[Any]:
        """Run one query and return its rows, fetched in binary."""
        async with self.statement() as connection:
            cursor = await connection.cursor(binary=True).execute(query, parameters, prepare=True)
            return await cursor.fetchall()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class PostgresJournal:
    """`Journal` on psycopg 3. `name` is the `application_name` of its connections; they are made when first needed."""

    def __init__(self, url: str, name: str = "boond-shard") -> None:
        self._writer = _Line(url, name)
        self._reader = _Line(url, f"{name}-reader")
        self._background = _Line(url, f"{name}-background")

    async def claim(self, shard: int, shards: int, owner: str) -> int:
        """See `Journal.claim`. A stopped process inside a transaction keeps its lock until its backend is ended."""
        while True:
            async with self._writer.statement() as connection:
                await connection.execute(sql.END_BACKEND, {"shard": shard, "term": None, "wait_ms": _END_WAIT_MS})
                try:
                    async with connection.transaction():
                        await connection.execute("SET LOCAL lock_timeout = '1s'")
                        await self._check_layout(connection, shards)
                        raised = await connection.execute(sql.RAISE_TERM, {"shard": shard, "owner": owner})
                        return int((await _one(raised))[0])
                except LockNotAvailable:
                    continue

    @staticmethod
    async def _check_layout(connection: AsyncConnection[Any], shards: int) -> None:
        layout = (await _one(await connection.execute(sql.LOCK_LAYOUT_SHARED)))[0]
        if layout is not None and layout != shards:
            raise Fenced(f"the instance has {layout} shards, this one was started for {shards}")

    async def resume(self, shard: int, term: int) -> None:
        """See `Journal.resume`."""
        await self._writer.close()
        async with self._writer.statement() as connection:
            await connection.execute(sql.END_BACKEND, {"shard": shard, "term": term, "wait_ms": _END_WAIT_MS})
            kept = await connection.execute(sql.KEEP_TERM, {"shard": shard, "term": term})
            if await kept.fetchone() is None:
                raise Fenced(f"shard {shard} is no longer ours at term {term}")

    async def confirm(self, shard: int, term: int) -> None:
        """See `Journal.confirm`."""
        if not await self._reader.rows(sql.CONFIRM, {"shard": shard, "term": term}):
            raise Fenced(f"shard {shard} is no longer ours at term {term}")

    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        """See `Journal.commit`: one autocommit statement."""
        try:
            legs, parameters = columns(turns)
        except Exception as error:
            raise DataRejected(f"a turn cannot be written: {error!r}") from error
        parameters["shard"], parameters["term"] = shard, term
        committed = (await self._writer.rows(sql.commit(legs), parameters))[0][0]
        if committed != len(turns):
            raise Fenced(f"shard {shard} is no longer ours at term {term}")

    async def read(self, question: Question) -> Reading:
        """See `Journal.read`: one statement."""
        reading = Reading()
        parts = (
            bool(question.entities),
            bool(question.commands),
            bool(question.transactions),
            bool(question.identities),
        )
        if not any(parts):
            return reading
        parameters: dict[str, Any] = {
            "schemas": Texts(list(question.schemas)),
            "e_ids": Texts(list(question.entities)),
            "e_slots": BigInts([slot_of(entity_id) for entity_id in question.entities]),
            "c_entities": Texts([entity_id for entity_id, _ in question.commands]),
            "c_ids": Texts([command_id for _, command_id in question.commands]),
            "c_slots": BigInts([slot_of(entity_id) for entity_id, _ in question.commands]),
            "t_entities": Texts([entity_id for entity_id, _ in question.transactions]),
            "t_ids": Texts([transaction_id for _, transaction_id in question.transactions]),
            "t_slots": BigInts([slot_of(entity_id) for entity_id, _ in question.transactions]),
        }
        if question.identities:
            parameters |= _identity_columns(question.identities)
        for row in await self._reader.rows(sql.read(*parts), parameters):
            _place(reading, row, question)
        for tail in reading.tails.values():
            tail.sort(key=lambda turn: turn.seq)
        return reading

    async def histories(self, wanted: Sequence[tuple[str, int]], limit: int) -> dict[str, list[StoredTurn]]:
        """See `Journal.histories`."""
        async with self._background.statement() as connection:
            return await histories(connection, wanted, limit)

    async def heads(self, entity_ids: Sequence[str]) -> dict[str, int]:
        """See `Journal.heads`."""
        async with self._background.statement() as connection:
            return await heads(connection, entity_ids)

    async def turns_of_tenant(self, tenant: str, after: TenantPosition, limit: int) -> list[TenantTurn]:
        """See `Journal.turns_of_tenant`."""
        async with self._background.statement() as connection:
            return await turns_of_tenant(connection, tenant, after, limit)

    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        """See `Journal.newest_of_tenant`."""
        async with self._background.statement() as connection:
            return await newest_of_tenant(connection, tenant)

    async def first_unsettled(self) -> int:
        """See `Journal.first_unsettled`."""
        async with self._background.statement() as connection:
            return await first_unsettled(connection)

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `Journal.save_snapshots`."""
        parameters = {
            "slots": BigInts([snapshot.slot for snapshot in snapshots]),
            "entities": Texts([snapshot.entity_id for snapshot in snapshots]),
            "seqs": BigInts([snapshot.seq for snapshot in snapshots]),
            "chains": Bytes([snapshot.chain for snapshot in snapshots]),
            "schemas": Texts([snapshot.schema for snapshot in snapshots]),
            "times": Times([snapshot.at for snapshot in snapshots]),
            "bodies": Bytes([snapshot.body for snapshot in snapshots]),
        }
        async with self._background.statement() as connection:
            await connection.execute(sql.SAVE_SNAPSHOTS, parameters)

    async def due_timers(
        self, shard: int, shards: int, until: datetime, limit: int
    ) -> tuple[list[DueTimer], datetime | None]:
        """See `Journal.due_timers`."""
        first, last = slots_of(shard, shards)
        asked = {"first": first, "last": last, "until": until, "limit": limit}
        rows = sorted(await self._background.rows(sql.DUE_TIMERS, asked), key=lambda row: row[0])
        due = [DueTimer(entity_id, *rest) for _, entity_id, *rest in rows if entity_id is not None]
        return due, next((wakes for wakes, entity_id, *_ in rows if entity_id is None), None)

    async def drop_timers(self, shard: int, term: int, timers: Sequence[DueTimer]) -> None:
        """See `Journal.drop_timers`."""
        await self._background.rows(sql.DROP_TIMERS, {"shard": shard, "term": term, **fired_columns(timers)})

    async def park_timer(self, shard: int, term: int, timer: DueTimer, until: datetime) -> None:
        """See `Journal.park_timer`."""
        named = {
            "slot": slot_of(timer.entity_id),
            "entity_id": timer.entity_id,
            "timer_id": timer.timer_id,
            "due": timer.due,
        }
        async with self._background.statement() as connection:
            await connection.execute(sql.PARK_TIMER, {"shard": shard, "term": term, "wakes": until, **named})

    async def waiting_messages(
        self, shard: int, shards: int, channel: str, until: datetime, entities: int, each: int
    ) -> list[list[SentMessage]]:
        """See `Journal.waiting_messages`."""
        first, last = slots_of(shard, shards)
        asked = {"first": first, "last": last, "channel": channel, "until": until, "entities": entities, "each": each}
        found: dict[tuple[str, str], list[SentMessage]] = {}
        for row in await self._background.rows(sql.WAITING_MESSAGES, asked):
            found.setdefault((row[0], row[1]), []).append(SentMessage(*row))
        for messages in found.values():
            messages.sort(key=lambda message: (message.seq, message.number))
        return list(found.values())

    async def drop_messages(self, shard: int, term: int, messages: Sequence[OutboxMessage]) -> None:
        """See `Journal.drop_messages`."""
        async with self._background.statement() as connection:
            await connection.execute(
                sql.DROP_MESSAGES, {"shard": shard, "term": term, **message_columns(messages)}, prepare=True
            )

    async def park_message(self, shard: int, term: int, message: OutboxMessage, until: datetime) -> None:
        """See `Journal.park_message`."""
        named = {
            "slot": slot_of(message.entity_id),
            "entity_id": message.entity_id,
            "channel": message.channel,
            "seq": message.seq,
            "number": message.number,
        }
        async with self._background.statement() as connection:
            await connection.execute(sql.PARK_MESSAGE, {"shard": shard, "term": term, "wakes": until, **named})

    async def clock_ahead(self) -> timedelta:
        """See `Journal.clock_ahead`."""
        [(microseconds,)] = await self._background.rows(sql.CLOCK, {})
        return timedelta(microseconds=microseconds)

    async def close(self) -> None:
        """See `Journal.close`."""
        for line in (self._writer, self._reader, self._background):
            await line.close()


def _identity_columns(identities: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    entities, origins, sources, externals = (list(column) for column in zip(*identities, strict=True))
    return {
        "i_slots": BigInts([slot_of(entity_id) for entity_id in entities]),
        "i_entities": Texts(entities),
        "i_origins": Texts(origins),
        "i_sources": Texts(sources),
        "i_externals": Texts(externals),
    }


def _place(reading: Reading, row: Sequence[Any], question: Question) -> None:
    """Put a row of `sql.read` where it belongs."""
    kind, entity_id, key, seq, at, digest, body = row
    if kind == 0:
        reading.commands[entity_id, key] = KnownCommand(seq, digest, at, body)
    elif kind == 1:
        reading.transactions[entity_id, key] = body
    elif kind == 2:
        reading.snapshots[entity_id] = Snapshot(slot_of(entity_id), entity_id, seq, digest, key, at, body)
    elif kind == 4:
        reading.identities[question.identities[int(key) - 1]] = body
    else:
        reading.tails.setdefault(entity_id, []).append(StoredTurn(seq, key, at, body, digest))


async def _one(cursor: psycopg.AsyncCursor[Any]) -> Any:
    """Return the row of a statement that always has one; without it the database is not one of ours."""
    row = await cursor.fetchone()
    if row is None:
        raise JournalDown("the table `instance` is empty: run `boond migrate`")
    return row


async def histories(
    connection: AsyncConnection[Any], wanted: Sequence[tuple[str, int]], limit: int
) -> dict[str, list[StoredTurn]]:
    """Return, for each (entity id, after), at most `limit` turns with a higher seq, oldest first."""
    parameters = {
        "slots": BigInts([slot_of(entity_id) for entity_id, _ in wanted]),
        "entities": Texts([entity_id for entity_id, _ in wanted]),
        "afters": BigInts([after for _, after in wanted]),
        "limit": limit,
    }
    found: dict[str, list[StoredTurn]] = {}
    cursor = await connection.cursor(binary=True).execute(sql.HISTORIES, parameters)
    for entity_id, *stored in await cursor.fetchall():
        found.setdefault(entity_id, []).append(StoredTurn(*stored))
    for turns in found.values():
        turns.sort(key=lambda turn: turn.seq)
    return found


async def heads(connection: AsyncConnection[Any], entity_ids: Sequence[str]) -> dict[str, int]:
    """Return the last seq of each entity; 0 for one without turns."""
    found = dict.fromkeys(entity_ids, 0)
    parameters = {"slots": BigInts([slot_of(entity_id) for entity_id in entity_ids]), "entities": Texts(entity_ids)}
    cursor = await connection.cursor(binary=True).execute(sql.HEADS, parameters)
    for entity_id, seq in await cursor.fetchall():
        found[entity_id] = seq
    return found
