"""The first schema.

A partitioned table refuses a unique key without its partition column: every key begins with the slot.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JOURNAL = """
CREATE TABLE journal (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    command_id text COLLATE "C" NOT NULL,
    input_hash bytea NOT NULL,
    term bigint NOT NULL,
    at timestamptz NOT NULL,
    body bytea NOT NULL,
    chain bytea NOT NULL,
    meta bytea NOT NULL,
    PRIMARY KEY (slot, entity_id, seq),
    CONSTRAINT journal_command UNIQUE (slot, entity_id, command_id)
) PARTITION BY HASH (slot);

CREATE TABLE snapshots (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    chain bytea NOT NULL,
    schema text NOT NULL,
    at timestamptz NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (slot, entity_id)
);

CREATE TABLE shards (
    shard integer PRIMARY KEY,
    term bigint NOT NULL,
    backend_pid integer,
    backend_start timestamptz,
    owner text NOT NULL,
    at timestamptz NOT NULL
);

CREATE TABLE instance (
    singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT instance_singleton CHECK (singleton),
    stream_id text NOT NULL,
    shards integer,
    created_at timestamptz NOT NULL
);
INSERT INTO instance (stream_id, created_at) VALUES (gen_random_uuid()::text, now());
"""

_READ_MODELS = """
CREATE TABLE transactions (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    origin text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    kind text NOT NULL,
    direction text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    category text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (slot, entity_id, transaction_id),
    CONSTRAINT transactions_external UNIQUE (slot, entity_id, origin, source, external_id)
) PARTITION BY HASH (slot);
CREATE INDEX transactions_newest ON transactions (slot, entity_id, occurred_at, transaction_id);

CREATE TABLE alerts (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    alert_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    category text,
    at timestamptz NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (slot, entity_id, alert_id)
);
CREATE INDEX alerts_newest ON alerts (slot, entity_id, at, alert_id);

CREATE TABLE timers (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    timer_id text COLLATE "C" NOT NULL,
    due timestamptz NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (slot, entity_id, timer_id)
);
CREATE INDEX timers_due ON timers (due);

CREATE TABLE outbox (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    outbox_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    channel text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (slot, entity_id, outbox_id)
);
"""

_ACCOUNTS = """
CREATE TABLE accounts (
    user_id text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    email text COLLATE "C" NOT NULL,
    password_hash text NOT NULL,
    name text NOT NULL,
    phone text,
    currency text NOT NULL,
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT accounts_email UNIQUE (tenant, email)
);

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    family_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    role text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor bytea,
    revoked_at timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
"""

_PARTITIONS = 8


def upgrade() -> None:
    """Make every table."""
    for part in (_JOURNAL, _READ_MODELS, _ACCOUNTS):
        op.execute(part)
    for table in ("journal", "transactions"):
        for i in range(_PARTITIONS):
            op.execute(
                f"CREATE TABLE {table}_p{i} PARTITION OF {table} FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {i})"
            )
