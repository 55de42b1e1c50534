"""How often suggested services are chosen."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE suggestion_count (
    jurisdiction_id TEXT NOT NULL,
    service_code TEXT NOT NULL,
    rank SMALLINT NOT NULL,
    is_chosen BOOLEAN NOT NULL,
    reports BIGINT NOT NULL,
    CONSTRAINT suggestion_count_pkey PRIMARY KEY (jurisdiction_id, service_code, rank, is_chosen)
)
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE suggestion_count")
