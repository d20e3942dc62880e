"""The port to the journal: the truth about every entity, and what reads of it the runtime makes.

JournalError
├── Fenced          the term is no longer ours, or the layout changed: this incarnation must end
├── Conflict        a seq or a command id is taken: memory is stale, drop it
├── DataRejected    the storage refuses something in the batch: bisect
└── JournalDown     the outcome of the last statement is unknown: drop what was uncommitted, reconnect
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct, field

from engine.behaviour import OutboxMessage, Rows


class JournalError(Exception):
    """A statement on the journal did not do what was asked."""


class Fenced(JournalError):
    """Another incarnation holds the shard, or the instance has another number of shards: nothing was committed."""


class Conflict(JournalError):
    """The journal already holds that seq or that command id of an entity: nothing was committed."""


class DataRejected(JournalError):
    """The storage refuses a value in the batch: nothing was committed, and the rest of it may be tried again."""


class JournalDown(JournalError):
    """The connection is lost or the server is not there: whether the last batch was committed is not known."""


class JournalRow(Struct, frozen=True, gc=False):
    """One turn as the journal keeps it; the term is that of the commit which carries it."""

    slot: int
    entity_id: str
    seq: int
    command_id: str
    input_hash: bytes
    at: datetime
    body: bytes
    chain: bytes
    meta: bytes


class DueTimer(Struct, frozen=True, gc=False):
    """A durable timer whose time has come. `tries` counts how often its command broke."""

    entity_id: str
    timer_id: str
    due: datetime
    tries: int
    body: bytes


class TurnWrite(Struct, frozen=True):
    """A turn with what it writes beside its row."""

    row: JournalRow
    rows: Rows
    fired: DueTimer | None = None
    """The timer whose command this turn carried out: deleted with it, unless it was set for another time meanwhile."""


class StoredTurn(Struct, frozen=True, gc=False):
    """A turn as read back."""

    seq: int
    command_id: str
    at: datetime
    body: bytes
    chain: bytes
    meta: bytes = b""
    """Only where history is read for frames; see `wire.decode_meta`."""


class SentMessage(OutboxMessage, frozen=True, gc=False):
    """An outbox message with the meta of the turn that sent it."""

    meta: bytes = b""


class KnownCommand(Struct, frozen=True, gc=False):
    """What became of a command id that was already carried out."""

    seq: int
    input_hash: bytes
    at: datetime
    body: bytes


class TenantPosition(Struct, frozen=True, order=True, array_like=True, gc=False):
    """A place in a tenant's turns, which are in the order of the transactions that committed them.

    `xact` is Postgres' number of the transaction; 0 for rows from before it was kept. It means nothing in another
    cluster: a restore from a dump must set it to 0 and give the stream another id.
    """

    xact: int
    slot: int
    entity_id: str
    seq: int


BEGINNING = TenantPosition(0, -1, "", 0)
"""Before every turn of a tenant."""

TENANT_PAGE_BYTES = 4 * 1024 * 1024
"""How large the bodies of a page of a tenant's turns may be, the last one's aside."""


class TenantTurn(Struct, frozen=True, gc=False):
    """A turn among those of a tenant."""

    position: TenantPosition
    turn: StoredTurn


class Snapshot(Struct, frozen=True, gc=False):
    """A state at `seq`; disposable. `schema` names the format of `body`."""

    slot: int
    entity_id: str
    seq: int
    chain: bytes
    schema: str
    at: datetime
    body: bytes


class Question(Struct, frozen=True):
    """What one iteration of a shard must know: entities to load, command ids and transactions to look up.

    `schemas` names the snapshots that can be used; with none, entities are read from their whole journal.
    """

    schemas: Sequence[str] = ()
    entities: Sequence[str] = ()
    commands: Sequence[tuple[str, str]] = ()
    transactions: Sequence[tuple[str, str]] = ()
    identities: Sequence[tuple[str, str, str, str]] = ()
    """Transactions by (entity id, origin, source, external id)."""


class Reading(Struct):
    """The answer: what is absent was not there. Tails follow their snapshot, oldest first."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    tails: dict[str, list[StoredTurn]] = field(default_factory=dict)
    commands: dict[tuple[str, str], KnownCommand] = field(default_factory=dict)
    transactions: dict[tuple[str, str], bytes] = field(default_factory=dict)
    identities: dict[tuple[str, str, str, str], bytes] = field(default_factory=dict)


class Journal(Protocol):
    """One shard's way to the journal. Every method may raise `JournalDown`."""

    async def claim(self, shard: int, shards: int, owner: str) -> int:
        """Become the only writer of a shard in a layout of `shards`; return the new term.

        Ends whatever backend the former owner left. Raises `Fenced` when the instance has another layout.
        """

    async def resume(self, shard: int, term: int) -> None:
        """Connect again after `JournalDown`, once the lost backend is surely gone. Raises `Fenced`."""

    async def confirm(self, shard: int, term: int) -> None:
        """Make sure that the term is still ours: what is answered from memory rests on it. Raises `Fenced`."""

    async def commit(self, shard: int, term: int, turns: Sequence[TurnWrite]) -> None:
        """Commit all turns, durably, or none. Raises `Fenced`, `Conflict`, `DataRejected`."""

    async def read(self, question: Question) -> Reading:
        """Answer a question in one round trip; each snapshot and its tail are of one moment."""

    async def histories(self, wanted: Sequence[tuple[str, int]], limit: int) -> dict[str, list[StoredTurn]]:
        """Return, for each (entity id, after), at most `limit` turns with a higher seq, oldest first."""

    async def heads(self, entity_ids: Sequence[str]) -> dict[str, int]:
        """Return the last seq of each entity; 0 for one without turns."""

    async def turns_of_tenant(self, tenant: str, after: TenantPosition, limit: int) -> list[TenantTurn]:
        """Return the next turns of a tenant's users, groups left out, in the order of their positions.

        At most `limit`, and none more once their bodies have `TENANT_PAGE_BYTES`; none only when there is none.
        A position that is not returned yet is never below one that is: what is being committed holds back what
        came to be after it. Turns of one entity are in the order of their seq.
        """

    async def newest_of_tenant(self, tenant: str) -> TenantPosition:
        """Return the last position that `turns_of_tenant` would reach now; `BEGINNING` when there is none."""

    async def first_unsettled(self) -> int:
        """Return the number no read position can have: transactions from it on may still run, or have not begun."""

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep snapshots, at most one an entity; an older one never replaces a newer one of the same schema."""

    async def due_timers(
        self, shard: int, shards: int, until: datetime, limit: int
    ) -> tuple[list[DueTimer], datetime | None]:
        """Return at most `limit` due timers of a shard's slots, earliest first, and when the next one wakes."""

    async def drop_timers(self, shard: int, term: int, timers: Sequence[DueTimer]) -> None:
        """Delete timers, each only as it was set for that time. A stale term deletes nothing."""

    async def park_timer(self, shard: int, term: int, timer: DueTimer, until: datetime) -> None:
        """Let a timer sleep until then and count a try. A stale term parks nothing."""

    async def waiting_messages(
        self, shard: int, shards: int, channel: str, until: datetime, entities: int, each: int
    ) -> list[list[SentMessage]]:
        """Return the oldest messages of a channel, at most `each` of at most `entities`, those of an entity in order.

        An entity whose oldest message is parked beyond `until` is left out. A channel may have lines,
        `{channel}/{line}`: what an entity sent on each is in an order, and a list, of its own.
        """

    async def drop_messages(self, shard: int, term: int, messages: Sequence[OutboxMessage]) -> None:
        """Delete messages that were delivered. A stale term deletes nothing."""

    async def park_message(self, shard: int, term: int, message: OutboxMessage, until: datetime) -> None:
        """Let a message, and with it the later ones of its entity and channel, wait until then; count a try."""

    async def clock_ahead(self) -> timedelta:
        """Return how far the instance's clock was put ahead of the real time; zero where nobody may."""

    async def close(self) -> None:
        """Let go of the connections."""
