"""The tables of Boond: this module owns the schema, `actors/migrations` brings a database to it.

The slot of an entity leads every key. Text that is compared bytewise and indexed is COLLATE "C". The journal and the
read model of transactions grow with every turn and are hash-partitioned by slot; the others stay small or are pruned.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

PARTITIONS = 8

metadata = sa.MetaData()

_BYTEWISE = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)


def _slot() -> sa.Column[int]:
    return sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False)


def _entity_id() -> sa.Column[str]:
    return sa.Column("entity_id", _BYTEWISE, primary_key=True)


journal = sa.Table(
    "journal",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("command_id", _BYTEWISE, nullable=False),
    sa.Column("input_hash", BYTEA, nullable=False),
    sa.Column("term", sa.BigInteger, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("chain", BYTEA, nullable=False),
    sa.Column("meta", BYTEA, nullable=False),
    sa.Column("xact", sa.BigInteger, nullable=False, server_default=sa.text("pg_current_xact_id()::text::bigint")),
    sa.UniqueConstraint("slot", "entity_id", "command_id", name="journal_command"),
    sa.Index(
        "journal_feed",
        sa.text("split_part(entity_id, '/'::text, 1)"),
        "xact",
        "slot",
        "entity_id",
        "seq",
        postgresql_where=sa.text("strpos(entity_id, '/~'::text) = 0"),
    ),
    postgresql_partition_by="HASH (slot)",
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("chain", BYTEA, nullable=False),
    sa.Column("schema", sa.Text, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
)

shards = sa.Table(
    "shards",
    metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("term", sa.BigInteger, nullable=False),
    sa.Column("backend_pid", sa.Integer),
    sa.Column("backend_start", _TIME),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("at", _TIME, nullable=False),
)

instance = sa.Table(
    "instance",
    metadata,
    sa.Column("singleton", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("stream_id", sa.Text, nullable=False),
    sa.Column("shards", sa.Integer),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("clock_ahead_us", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("singleton", name="instance_singleton"),
)

transactions = sa.Table(
    "transactions",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("transaction_id", _BYTEWISE, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("origin", _BYTEWISE, nullable=False),
    sa.Column("source", _BYTEWISE, nullable=False),
    sa.Column("external_id", _BYTEWISE, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("occurred_at", _TIME, nullable=False),
    sa.Column("recorded_at", _TIME, nullable=False),
    sa.Column("sealed", BYTEA, nullable=False),
    sa.UniqueConstraint("slot", "entity_id", "origin", "source", "external_id", name="transactions_external"),
    sa.Index("transactions_newest", "slot", "entity_id", "occurred_at", "transaction_id"),
    postgresql_partition_by="HASH (slot)",
)

alerts = sa.Table(
    "alerts",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("alert_id", _BYTEWISE, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("sealed", BYTEA, nullable=False),
    sa.Index("alerts_newest", "slot", "entity_id", "at", "alert_id"),
)

records = sa.Table(
    "records",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("kind", _BYTEWISE, primary_key=True),
    sa.Column("record_id", _BYTEWISE, primary_key=True),
    sa.Column("tenant", _BYTEWISE, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("state", _BYTEWISE, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("sealed", BYTEA, nullable=False),
    sa.Index("records_listed", "tenant", "kind", "state", "at", "entity_id", "record_id"),
    sa.Index("records_named", "tenant", "kind", "record_id"),
)

host_statements = sa.Table(
    "host_statements",
    metadata,
    sa.Column("tenant", _BYTEWISE, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("uploaded_at", _TIME, nullable=False),
    sa.Column("uploaded_by", sa.Text, nullable=False),
    sa.Column("entries", BYTEA, nullable=False),
)

timers = sa.Table(
    "timers",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("timer_id", _BYTEWISE, primary_key=True),
    sa.Column("due", _TIME, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("wakes", _TIME, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("timers_wake", "wakes"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    _slot(),
    _entity_id(),
    sa.Column("channel", _BYTEWISE, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outbox_id", _BYTEWISE, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("wakes", _TIME, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("outbox_waiting", sa.text("split_part(channel, '/'::text, 1)"), "wakes", "created_at"),
)

rates_version = sa.Sequence("rates_version", metadata=metadata)

rates = sa.Table(
    "rates",
    metadata,
    sa.Column("base", _BYTEWISE, primary_key=True),
    sa.Column("quote", _BYTEWISE, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("numerator", sa.BigInteger, nullable=False),
    sa.Column("denominator", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Index("rates_since", "version"),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("user_id", _BYTEWISE, primary_key=True),
    sa.Column("tenant", _BYTEWISE, nullable=False),
    sa.Column("email", _BYTEWISE, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("phone", sa.Text),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.UniqueConstraint("tenant", "email", name="accounts_email"),
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("token_hash", BYTEA, primary_key=True),
    sa.Column("family_id", _BYTEWISE, nullable=False),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("tenant", _BYTEWISE, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("issued_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("used_at", _TIME),
    sa.Column("successor", BYTEA),
    sa.Column("revoked_at", _TIME),
    sa.Index("refresh_tokens_family", "family_id"),
)

spent_tickets = sa.Table(
    "spent_tickets",
    metadata,
    sa.Column("ticket_id", BYTEA, primary_key=True),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Index("spent_tickets_expired", "expires_at"),
    prefixes=["UNLOGGED"],
)
