"""What the tokens of staff are for and when they were used, and the details of the audit trail."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE staff_secret
    ADD COLUMN label TEXT DEFAULT '' NOT NULL,
    ADD COLUMN last_used_at TIMESTAMPTZ;
ALTER TABLE audit_entry ADD COLUMN details JSONB DEFAULT '{}' NOT NULL;
"""


def upgrade() -> None:
    """Add columns. They have constant defaults, so no row is written."""
    op.execute(COLUMNS)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE audit_entry DROP COLUMN details")
    op.execute("ALTER TABLE staff_secret DROP COLUMN last_used_at, DROP COLUMN label")
