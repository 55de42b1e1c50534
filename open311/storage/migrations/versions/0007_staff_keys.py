"""API keys of the city's own apps, which may send requests to services that are only for staff."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column."""
    op.execute("ALTER TABLE api_key ADD COLUMN is_for_staff BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE api_key DROP COLUMN is_for_staff")
