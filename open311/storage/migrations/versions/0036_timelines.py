"""The timeline of the database's history on which a mark of the change feed was written."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Marks that exist get 1, as cursors that name no timeline do."""
    op.execute("ALTER TABLE change_mark ADD timeline INTEGER DEFAULT 1 NOT NULL")
    op.execute("CREATE INDEX change_mark_by_timeline ON change_mark (jurisdiction_id, timeline, horizon)")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE change_mark DROP timeline")
