"""How many deliveries each back office has accepted, for /metrics."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column. It has a constant default, so no row is written."""
    op.execute("ALTER TABLE destination ADD COLUMN delivered BIGINT DEFAULT 0 NOT NULL")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE destination DROP COLUMN delivered")
