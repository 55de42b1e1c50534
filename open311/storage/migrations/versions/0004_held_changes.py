"""Since when a change waits in the outbox, and changes that a consumer has to try again."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE held_change (
    jurisdiction_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    id BIGINT NOT NULL,
    request_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    written_at TIMESTAMPTZ NOT NULL,
    failures BIGINT DEFAULT 0 NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT held_change_pkey PRIMARY KEY (jurisdiction_id, consumer, request_id, id)
);
"""


def upgrade() -> None:
    """Add a column and a table."""
    op.execute("ALTER TABLE outbox ADD COLUMN written_at TIMESTAMPTZ DEFAULT now() NOT NULL")
    op.execute(TABLE)


def downgrade() -> None:
    """Drop both."""
    op.execute("DROP TABLE held_change")
    op.execute("ALTER TABLE outbox DROP COLUMN written_at")
