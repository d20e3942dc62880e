"""The journal's double: the same port, the same contract tests, in memory; and ways to make it fail."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import structs

from actors.journal import (
    BEGINNING,
    TENANT_PAGE_BYTES,
    Conflict,
    DataRejected,
    DueTimer,
    Fenced,
    JournalError,
    JournalRow,
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
from actors.slots import shard_of
from engine.behaviour import OutboxMessage, OutboxRow, RecordRow

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class MemoryStore:
    """What would be the database: shared by the journals of several incarnations."""

    def __init__(self) -> None:
        self.terms: dict[int, int] = {}
        self.layout: int | None = None
        self.rows: dict[str, list[JournalRow]] = {}
        self.committed: list[TenantTurn] = []
        """Every turn in the order of commits."""
        self.commands: dict[tuple[str, str], JournalRow] = {}
        self.transactions: dict[tuple[str, str], bytes] = {}
        self.identities: dict[tuple[str, str, str, str], bytes] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.clock_ahead = timedelta(0)
        self.outbox: list[OutboxRow] = []
        """All that was ever sent."""
        self.waiting: list[tuple[datetime, SentMessage]] = []
        """When each message that is not delivered yet wakes, in the order of sending."""
        self.records: dict[tuple[str, str, str], RecordRow] = {}
        """By (entity id, kind, record id)."""
        self.timers: dict[tuple[str, str], tuple[datetime, DueTimer]] = {}
        """By (entity id, timer id): when each wakes, and what it is."""


class MemoryJournal:
    """`Journal` on a `MemoryStore`. Clear `gate` to hold commits; set the hooks to make statements fail."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.gate = asyncio.Event()
        self.gate.set()
        self.read_gate = asyncio.Event()
        self.read_gate.set()
        self.commit_error: JournalError | None = None
        self.resume_error: JournalError | None = None
        self.read_error: JournalError | None = None
        self.confirm_error: JournalError | None = None
        self.confirmed = 0
        self.rejects: Callable[[TurnWrite], bool] = lambda _: False
        self.batches: list[int] = []
        self.reads: list[Question] = []
        self.resumed = 0

    async def claim(self, shard: int, shards: int, owner: str) -> int:
        """See `Journal.claim`."""
        if self.store.layout not in (None, shards):
            raise Fenced(f"the instance has {self.store.layout} shards, this one was started for {shards}")
        self.store.terms[shard] = self.store.terms.get(shard, 0) + 1
        return self.store.terms[shard]

    async def resume(self, shard: int, term: int) -> None:
        """See `Journal.resume`."""
        self.resumed += 1
        error, self.resume_error = self.resume_error, None
        if error is not None:
            raise error
        if self.store.terms.get(shard) != term:
            raise Fenced(f"shard {shard} is no longer ours at term {term}")

    async def confirm(self, shard: int, term: int) -> None:
        """See `Journal.confirm`."""
        self.confirmed += 1
        error, self.confirm_error = self.confirm_error, None
        if error is not None:
            raise error
        if self.store.terms.get(shard) != term:
            raise Fenced(f"shard {shard} is no longer ours at term {term}")

    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        """See `Journal.commit`."""
        await self.gate.wait()
        error, self.commit_error = self.commit_error, None
        if error is not None:
            raise error
        if self.store.terms.get(shard) != term:
            raise Fenced(f"shard {shard} is no longer ours at term {term}")
        if any(self.rejects(turn) or _has_nul(turn) for turn in turns):
            raise DataRejected("a value is refused")
        taken: set[tuple[str, int] | tuple[str, str]] = set()
        for turn in turns:
            row = turn.row
            head = len(self.store.rows.get(row.entity_id, ()))
            keys: set[tuple[str, int] | tuple[str, str]] = {(row.entity_id, row.seq), (row.entity_id, row.command_id)}
            if row.seq <= head or (row.entity_id, row.command_id) in self.store.commands or keys & taken:
                raise Conflict(f"{row.entity_id} already has seq {row.seq} or {row.command_id}")
            taken |= keys
        xact = self.store.committed[-1].position.xact + 1 if self.store.committed else 1
        for turn in turns:
            self._keep(turn)
            position = TenantPosition(xact, turn.row.slot, turn.row.entity_id, turn.row.seq)
            self.store.committed.append(TenantTurn(position, _stored(turn.row)))
        self.batches.append(len(turns))

    def _keep(self, turn: TurnWrite) -> None:
        row = turn.row
        self.store.outbox += turn.rows.outbox
        for number, sent in enumerate(turn.rows.outbox):
            message = SentMessage(
                row.entity_id, sent.channel, row.seq, number, sent.outbox_id, sent.body, row.at, 0, row.meta
            )
            self.store.waiting.append((_LONG_AGO, message))
        self.store.rows.setdefault(row.entity_id, []).append(row)
        self.store.commands[row.entity_id, row.command_id] = row
        for transaction in turn.rows.transactions:
            self.store.transactions[row.entity_id, transaction.transaction_id] = transaction.sealed
            identity = (row.entity_id, transaction.origin, transaction.source, transaction.external_id)
            self.store.identities[identity] = transaction.sealed
        for record in turn.rows.records:
            self.store.records[row.entity_id, record.kind, record.record_id] = record
        if turn.fired is not None:
            self._drop(turn.fired)
        for timer in turn.rows.timers:
            key = (row.entity_id, timer.timer_id)
            self.store.timers.pop(key, None)
            if timer.body is not None:
                self.store.timers[key] = (timer.due, DueTimer(*key, timer.due, 0, timer.body))

    def _drop(self, timer: DueTimer) -> None:
        kept = self.store.timers.get((timer.entity_id, timer.timer_id))
        if kept is not None and kept[1].due == timer.due:
            del self.store.timers[timer.entity_id, timer.timer_id]

    async def clock_ahead(self) -> timedelta:
        """See `Journal.clock_ahead`."""
        return self.store.clock_ahead

    async def waiting_messages(
        self, shard: int, shards: int, channel: str, until: datetime, entities: int, each: int
    ) -> list[list[SentMessage]]:
        """See `Journal.waiting_messages`."""
        lines: dict[tuple[str, str], list[tuple[datetime, SentMessage]]] = {}
        for wakes, message in self.store.waiting:
            if message.channel.partition("/")[0] == channel and shard_of(message.entity_id, shards) == shard:
                lines.setdefault((message.entity_id, message.channel), []).append((wakes, message))
        awake = sorted((line for line in lines.values() if line[0][0] <= until), key=lambda line: line[0][0])
        return [[message for _, message in line[:each]] for line in awake[:entities]]

    async def drop_messages(self, shard: int, term: int, messages: Sequence[OutboxMessage]) -> None:
        """See `Journal.drop_messages`."""
        if self.store.terms.get(shard) == term:
            gone = {_place(message) for message in messages}
            self.store.waiting = [kept for kept in self.store.waiting if _place(kept[1]) not in gone]

    async def park_message(self, shard: int, term: int, message: OutboxMessage, until: datetime) -> None:
        """See `Journal.park_message`."""
        if self.store.terms.get(shard) == term:
            self.store.waiting = [
                (until, structs.replace(kept, tries=kept.tries + 1))
                if _place(kept) == _place(message)
                else (wakes, kept)
                for wakes, kept in self.store.waiting
            ]

    async def due_timers(
        self, shard: int, shards: int, until: datetime, limit: int
    ) -> tuple[list[DueTimer], datetime | None]:
        """See `Journal.due_timers`."""
        mine = [kept for kept in self.store.timers.values() if shard_of(kept[1].entity_id, shards) == shard]
        mine.sort(key=lambda kept: (kept[0], kept[1].due, kept[1].entity_id, kept[1].timer_id))
        due = [timer for wakes, timer in mine if wakes <= until]
        return due[:limit], next((wakes for wakes, _ in mine if wakes > until), None)

    async def drop_timers(self, shard: int, term: int, timers: Sequence[DueTimer]) -> None:
        """See `Journal.drop_timers`."""
        if self.store.terms.get(shard) == term:
            for timer in timers:
                self._drop(timer)

    async def park_timer(self, shard: int, term: int, timer: DueTimer, until: datetime) -> None:
        """See `Journal.park_timer`."""
        kept = self.store.timers.get((timer.entity_id, timer.timer_id))
        if self.store.terms.get(shard) == term and kept is not None and kept[1].due == timer.due:
            parked = structs.replace(kept[1], tries=kept[1].tries + 1)
            self.store.timers[timer.entity_id, timer.timer_id] = (until, parked)

    async def read(self, question: Question) -> Reading:
        """See `Journal.read`."""
        await self.read_gate.wait()
        self.reads.append(question)
        error, self.read_error = self.read_error, None
        if error is not None:
            raise error
        if any("\0" in key for pair in question.commands for key in pair):
            raise DataRejected("NUL in a key")
        reading = Reading()
        for entity_id in question.entities:
            snapshot = self.store.snapshots.get(entity_id)
            if snapshot is not None and snapshot.schema in question.schemas and self._bears_out(snapshot):
                reading.snapshots[entity_id] = snapshot
            after = reading.snapshots[entity_id].seq if entity_id in reading.snapshots else 0
            tail = [_stored(row) for row in self.store.rows.get(entity_id, ()) if row.seq > after]
            if tail:
                reading.tails[entity_id] = tail
        for key in question.commands:
            if (row := self.store.commands.get(key)) is not None:
                reading.commands[key] = KnownCommand(row.seq, row.input_hash, row.at, row.body)
        for key in question.transactions:
            if (sealed := self.store.transactions.get(key)) is not None:
                reading.transactions[key] = sealed
        for identity in question.identities:
            if (sealed := self.store.identities.get(identity)) is not None:
                reading.identities[identity] = sealed
        return reading

    def _bears_out(self, snapshot: Snapshot) -> bool:
        rows = self.store.rows.get(snapshot.entity_id, ())
        return any((row.seq, row.chain) == (snapshot.seq, snapshot.chain) for row in rows)

    async def histories(self, wanted: Sequence[tuple[str, int]], limit: int) -> dict[str, list[StoredTurn]]:
        """See `Journal.histories`."""
        found = {
            entity_id: [_stored(row) for row in self.store.rows.get(entity_id, ()) if row.seq > after][:limit]
            for entity_id, after in wanted
        }
        return {entity_id: turns for entity_id, turns in found.items() if turns}

    async def heads(self, entity_ids: Sequence[str]) -> dict[str, int]:
        """See `Journal.heads`."""
        return {entity_id: len(self.store.rows.get(entity_id, ())) for entity_id in entity_ids}

    async def turns_of_tenant(self, tenant: str, after: TenantPosition, limit: int) -> list[TenantTurn]:
        """See `Journal.turns_of_tenant`."""
        page: list[TenantTurn] = []
        size = 0
        for found in self._of_tenant(tenant):
            if found.position > after and len(page) < limit and size < TENANT_PAGE_BYTES:
                page.append(found)
                size += len(found.turn.body)
        return page

    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        """See `Journal.newest_of_tenant`."""
        return max((found.position for found in self._of_tenant(tenant)), default=BEGINNING)

    async def first_unsettled(self) -> int:
        """See `Journal.first_unsettled`."""
        return max((found.position.xact for found in self.store.committed), default=0) + 1

    def _of_tenant(self, tenant: str) -> list[TenantTurn]:
        users = [found for found in self.store.committed if found.position.entity_id.startswith(f"{tenant}/")]
        return sorted(
            (found for found in users if "/~" not in found.position.entity_id), key=lambda found: found.position
        )

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `Journal.save_snapshots`."""
        for snapshot in snapshots:
            old = self.store.snapshots.get(snapshot.entity_id)
            if old is None or old.seq < snapshot.seq or old.schema != snapshot.schema:
                self.store.snapshots[snapshot.entity_id] = snapshot

    async def close(self) -> None:
        """See `Journal.close`."""


def _place(message: OutboxMessage) -> tuple[str, str, int, int]:
    return message.entity_id, message.channel, message.seq, message.number


def _has_nul(turn: TurnWrite) -> bool:
    return "\0" in turn.row.command_id or any("\0" in tx.transaction_id for tx in turn.rows.transactions)


def _stored(row: JournalRow) -> StoredTurn:
    return StoredTurn(row.seq, row.command_id, row.at, row.body, row.chain, row.meta)
