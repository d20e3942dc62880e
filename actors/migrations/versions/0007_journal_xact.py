"""The transaction that committed each turn, so that a reader of many users loses none that commits late.

Rows from before have 0, and come first; a release that knows nothing of the column, should it write again, leaves it to
the default. The index leaves groups out: their ids begin with `~`.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_XACT = """
ALTER TABLE journal ADD COLUMN xact bigint NOT NULL DEFAULT 0;
ALTER TABLE journal ALTER COLUMN xact SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX journal_feed ON journal (split_part(entity_id, '/', 1), xact, slot, entity_id, seq)
    WHERE strpos(entity_id, '/~') = 0;
"""


def upgrade() -> None:
    """Add what this release needs."""
    op.execute(_XACT)
