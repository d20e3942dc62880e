"""Lists that REST reads straight from the read models: committed rows, newest first, a page at a time.

`before` is the key of the last row of the page before: keyset paging, so a page costs the same wherever it is.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg_pool import AsyncConnectionPool

from actors import codec, sql
from actors.journal import StoredTurn
from actors.kinds import Kinds, hosted
from actors.slots import slot_of
from engine.behaviour import Behaviour, Turn

ALERTS_LIMIT = 50
SEQ_MAX = 2**63 - 1


class SealedRow(Struct, frozen=True):
    """A row of a list: `at` and `row_id` are its key, `sealed` the whole record as the domain encoded it."""

    row_id: str
    at: datetime
    seq: int
    sealed: bytes


class Record(Struct, frozen=True):
    """A row of a list over all entities of a tenant."""

    entity_id: str
    record_id: str
    state: str
    at: datetime
    amount: int
    currency: str
    seq: int
    sealed: bytes


class ReadModel:
    """Reads for one entity at a time. Raises `psycopg.Error` and `psycopg_pool.PoolTimeout`."""

    def __init__(self, pool: AsyncConnectionPool[Any], behaviours: Kinds | Behaviour) -> None:
        """`pool` is open, and of `actors.connections.pool`; `behaviours` decode what the journal keeps."""
        self._pool = pool
        self._kinds = hosted(behaviours)

    async def transactions(
        self,
        entity_id: str,
        *,
        limit: int,
        before: tuple[datetime, str] | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        category: str | None = None,
        status: str | None = None,
        hidden: Collection[str] = (),
    ) -> list[SealedRow]:
        """Return transactions by when they occurred, newest first; `from_` is inclusive, `to` exclusive.

        Those of a status in `hidden` are left out.
        """
        return await self._rows(
            sql.TRANSACTIONS_PAGE,
            slot=slot_of(entity_id),
            entity_id=entity_id,
            before_at=before[0] if before else None,
            before_id=before[1] if before else None,
            from_=from_,
            to=to,
            category=category,
            status=status,
            hidden=list(hidden),
            limit=limit,
        )

    async def transaction(self, entity_id: str, transaction_id: str) -> SealedRow | None:
        """Return one transaction of an entity, None when it has no such."""
        rows = await self._rows(
            sql.TRANSACTION, slot=slot_of(entity_id), entity_id=entity_id, transaction_id=transaction_id
        )
        return rows[0] if rows else None

    async def alerts(
        self, entity_id: str, *, limit: int = ALERTS_LIMIT, before: tuple[datetime, str] | None = None
    ) -> list[SealedRow]:
        """Return alerts, newest first."""
        return await self._rows(
            sql.ALERTS_PAGE,
            slot=slot_of(entity_id),
            entity_id=entity_id,
            before_at=before[0] if before else None,
            before_id=before[1] if before else None,
            limit=limit,
        )

    async def records(
        self,
        tenant: str,
        kind: str,
        *,
        limit: int,
        state: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        after: tuple[datetime, str, str] | None = None,
    ) -> list[Record]:
        """Return a tenant's records of a kind, earliest first; `after` is (at, entity id, record id) of the last seen.

        Without a `state` the whole kind is sorted: for lists that stay short.
        """
        parameters = {
            "tenant": tenant,
            "kind": kind,
            "state": state,
            "from_": from_,
            "to": to,
            "after_at": after[0] if after else None,
            "after_entity": after[1] if after else None,
            "after_id": after[2] if after else None,
            "limit": limit,
        }
        query = sql.records_page(in_state=state is not None)
        return [Record(*row) for row in await self._fetch(query, parameters)]

    async def record(self, tenant: str, kind: str, record_id: str) -> Record | None:
        """Return one record of a tenant, whosever it is; None when there is none."""
        rows = await self._fetch(sql.RECORD, {"tenant": tenant, "kind": kind, "record_id": record_id})
        return Record(*rows[0]) if rows else None

    async def records_named(self, tenant: str, kind: str, record_ids: Sequence[str]) -> list[Record]:
        """Return those of the records named that a tenant has, in no order."""
        if not record_ids:
            return []
        parameters = {"tenant": tenant, "kind": kind, "record_ids": list(record_ids)}
        return [Record(*row) for row in await self._fetch(sql.RECORDS_NAMED, parameters)]

    async def turns(self, entity_id: str, *, limit: int, before: int | None = None) -> list[Turn]:
        """Return decoded turns of the journal with a seq below `before`, newest first."""
        parameters = {
            "slot": slot_of(entity_id),
            "entity_id": entity_id,
            "before": SEQ_MAX if before is None else before,
            "limit": limit,
        }
        stored = [StoredTurn(*row) for row in await self._fetch(sql.TURNS_BEFORE, parameters)]
        return [self._turn(entity_id, turn) for turn in stored]

    def _turn(self, entity_id: str, stored: StoredTurn) -> Turn:
        events, result = self._kinds.of(entity_id).decode_turn(codec.unpack(stored.body))
        return Turn(entity_id, stored.seq, stored.at, events, result)

    async def _rows(self, query: str, **parameters: Any) -> list[SealedRow]:
        return [SealedRow(*row) for row in await self._fetch(query, parameters)]

    async def _fetch(self, query: str, parameters: dict[str, Any]) -> list[Any]:
        async with self._pool.connection() as connection:
            cursor = await connection.cursor(binary=True).execute(query, parameters)
            rows: list[Any] = await cursor.fetchall()
            return rows
