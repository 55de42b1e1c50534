"""The sessions of people who are signed in to the pages for staff."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE staff_session (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    account_id BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    begun_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT staff_session_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT staff_session_staff_account_fkey FOREIGN KEY (jurisdiction_id, account_id)
        REFERENCES staff_account (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX staff_session_digest_idx ON staff_session (digest);
CREATE INDEX staff_session_account_idx ON staff_session (jurisdiction_id, account_id);
CREATE INDEX staff_session_expires_idx ON staff_session (expires_at);
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE staff_session")
