"""Links to one's own request, the block list, and what keys tell their users or why they are suspended."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE api_key ADD COLUMN notice TEXT DEFAULT '' NOT NULL;
ALTER TABLE api_key ADD COLUMN suspended_for TEXT DEFAULT '' NOT NULL;

CREATE TABLE status_link (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    digest BYTEA NOT NULL,
    request_id BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT status_link_pkey PRIMARY KEY (jurisdiction_id, digest),
    CONSTRAINT status_link_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX status_link_request_idx ON status_link (jurisdiction_id, request_id);

CREATE TABLE block_list (
    jurisdiction_id TEXT NOT NULL,
    version BIGINT DEFAULT 0 NOT NULL,
    secret TEXT NOT NULL,
    CONSTRAINT block_list_pkey PRIMARY KEY (jurisdiction_id)
);

CREATE TABLE block (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    CONSTRAINT block_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT block_jurisdiction_id_kind_value_key UNIQUE (jurisdiction_id, kind, value)
);
"""


def upgrade() -> None:
    """Add the tables and columns."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute(
        "DROP TABLE block, block_list, status_link;"
        " ALTER TABLE api_key DROP COLUMN suspended_for;"
        " ALTER TABLE api_key DROP COLUMN notice"
    )
