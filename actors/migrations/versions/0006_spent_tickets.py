"""Tickets that opened a socket: each once, for all processes; unlogged, as a ticket lives for seconds."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SPENT = """
CREATE UNLOGGED TABLE spent_tickets (
    ticket_id bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX spent_tickets_expired ON spent_tickets (expires_at);
"""


def upgrade() -> None:
    """Add what this release needs."""
    op.execute(_SPENT)
