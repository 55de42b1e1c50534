"""Updates that look like abuse and wait for a person."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column with a constant default, so no row is written, and an index of the few rows that wait."""
    op.execute(
        "ALTER TABLE received_update ADD COLUMN is_held BOOLEAN DEFAULT false NOT NULL;"
        " CREATE INDEX received_update_held_idx ON received_update (jurisdiction_id, request_id) WHERE is_held"
    )


def downgrade() -> None:
    """Drop them. What waits keeps its text in the history."""
    op.execute("ALTER TABLE received_update DROP COLUMN is_held")
