"""By what the media store is recognised, and which files of erased photos must be deleted."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE media_store (
    jurisdiction_id TEXT NOT NULL,
    marker TEXT NOT NULL,
    marked_at TIMESTAMPTZ,
    CONSTRAINT media_store_pkey PRIMARY KEY (jurisdiction_id)
);

CREATE TABLE media_deletion (
    jurisdiction_id TEXT NOT NULL,
    content_hash BYTEA NOT NULL,
    erasure TEXT DEFAULT '' NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT media_deletion_pkey PRIMARY KEY (jurisdiction_id, content_hash, erasure)
);
CREATE INDEX media_deletion_asked_idx ON media_deletion (jurisdiction_id, asked_at, content_hash);
CREATE INDEX media_deletion_erasure_idx ON media_deletion (jurisdiction_id, erasure);
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE media_deletion, media_store")
