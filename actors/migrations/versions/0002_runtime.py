"""Timers fire: when each wakes (later than due once it has broken its turn), and how often it has."""

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


def upgrade() -> None:
    """Add what this release needs."""
    op.execute(_TIMERS)
