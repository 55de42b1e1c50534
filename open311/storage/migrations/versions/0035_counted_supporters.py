"""The supporters of requests in the statistics."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE counted_request ADD supporters INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE closed_count ADD supporters INTEGER;
ALTER TABLE open_count ADD supporters INTEGER DEFAULT 0 NOT NULL;
CREATE TABLE support_change (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id BIGINT NOT NULL,
    written_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    CONSTRAINT support_change_pkey PRIMARY KEY (jurisdiction_id, id)
);
"""


def upgrade() -> None:
    """Add the columns, and let the worker count the supporters that there are already with its next check."""
    op.execute(TABLES)
    op.execute("UPDATE statistics_check SET checked_at = checked_at - interval '1 day'")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE support_change")
    for table in ("open_count", "closed_count", "counted_request"):
        op.execute(f"ALTER TABLE {table} DROP supporters")
