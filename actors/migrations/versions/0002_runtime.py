"""Timers that wake, an outbox that is delivered in order, lists over all users of a tenant, a clock that moves.

A timer wakes later than it is due once its command has broken its turn; so does a message that was not delivered.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIMERS = """
ALTER TABLE timers ADD COLUMN wakes timestamptz, ADD COLUMN tries integer NOT NULL DEFAULT 0;
UPDATE timers SET wakes = due;
ALTER TABLE timers ALTER COLUMN wakes SET NOT NULL, ALTER COLUMN tries DROP DEFAULT;
DROP INDEX timers_due;
CREATE INDEX timers_wake ON timers (wakes);
"""

_OUTBOX = """
DROP TABLE outbox;
CREATE TABLE outbox (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    number integer NOT NULL,
    outbox_id text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL,
    wakes timestamptz NOT NULL,
    tries integer NOT NULL,
    PRIMARY KEY (slot, entity_id, channel, seq, number)
);
CREATE INDEX outbox_waiting ON outbox (channel, wakes, created_at);
"""
"""Nothing was ever sent before this release: the table is made anew."""

_CLOCK = "ALTER TABLE instance ADD COLUMN clock_ahead_us bigint NOT NULL DEFAULT 0"

_RECORDS = """
CREATE TABLE records (
    slot integer NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    record_id text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (slot, entity_id, kind, record_id)
);
CREATE INDEX records_listed ON records (tenant, kind, state, at, entity_id, record_id);
CREATE INDEX records_named ON records (tenant, kind, record_id);
"""


def upgrade() -> None:
    """Add what this release needs."""
    for part in (_TIMERS, _OUTBOX, _CLOCK, _RECORDS):
        op.execute(part)
