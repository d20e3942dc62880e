"""Exchange rates by pair and day; `version` says what a copy has not read yet."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RATES = """
CREATE SEQUENCE rates_version;
CREATE TABLE rates (
    base text COLLATE "C" NOT NULL,
    quote text COLLATE "C" NOT NULL,
    day date NOT NULL,
    numerator bigint NOT NULL,
    denominator bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (base, quote, day)
);
CREATE INDEX rates_since ON rates (version);
"""


def upgrade() -> None:
    """Add what this release needs."""
    op.execute(_RATES)
