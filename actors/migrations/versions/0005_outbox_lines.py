"""Channels with lines: what waits on any line of a channel is read in the order of one index."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEX = """
DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (split_part(channel, '/', 1), wakes, created_at);
"""


def upgrade() -> None:
    """Add what this release needs."""
    op.execute(_INDEX)
