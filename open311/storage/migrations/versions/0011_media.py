"""Photos of requests and of their updates."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE media (
    jurisdiction_id TEXT NOT NULL,
    id TEXT NOT NULL,
    request_id BIGINT,
    version BIGINT DEFAULT 0 NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    content_hash BYTEA NOT NULL,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    is_public BOOLEAN DEFAULT true NOT NULL,
    own_address TEXT DEFAULT '' NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    renditions JSONB DEFAULT '[]'::jsonb NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    prepared_at TIMESTAMPTZ,
    original_until TIMESTAMPTZ,
    kept_until TIMESTAMPTZ,
    CONSTRAINT media_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT media_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX media_request_idx ON media (jurisdiction_id, request_id, position);
CREATE INDEX media_content_idx ON media (jurisdiction_id, content_hash);
CREATE INDEX media_arriving_idx ON media (jurisdiction_id, created_at) WHERE state = 'arriving';
CREATE INDEX media_original_idx ON media (jurisdiction_id, original_until) WHERE original_until IS NOT NULL;
CREATE INDEX media_held_idx ON media (jurisdiction_id, created_at, id) WHERE state = 'held';
CREATE INDEX media_kept_idx ON media (jurisdiction_id, kept_until) WHERE kept_until IS NOT NULL;
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE media")
