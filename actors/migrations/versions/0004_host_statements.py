"""What hosts say they moved on a day: a statement a tenant and day."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = """
CREATE TABLE host_statements (
    tenant text COLLATE "C" NOT NULL,
    day date NOT NULL,
    uploaded_at timestamptz NOT NULL,
    uploaded_by text NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (tenant, day)
);
"""


def upgrade() -> None:
    """Add what this release needs."""
    op.execute(_STATEMENTS)
