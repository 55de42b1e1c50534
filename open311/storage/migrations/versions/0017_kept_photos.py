"""Indexes by which retention finds the requests that still have photos, and a column for copies of photos."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE media ADD COLUMN copy_of TEXT DEFAULT '' NOT NULL"
INDEXES = """
CREATE INDEX service_request_photos_idx ON service_request (jurisdiction_id, id) WHERE media_urls <> '{}';
CREATE INDEX public_update_photo_idx ON public_update (jurisdiction_id, request_id) WHERE media_url <> '';
CREATE INDEX received_update_photos_idx ON received_update (jurisdiction_id, request_id) WHERE media_urls <> '{}';
CREATE INDEX remote_update_photos_idx ON remote_update (jurisdiction_id, request_id) WHERE media_urls <> '{}';
"""
NAMES = (
    "service_request_photos_idx",
    "public_update_photo_idx",
    "received_update_photos_idx",
    "remote_update_photos_idx",
)


def upgrade() -> None:
    """Add the column, and the indexes, which have only the rows with photos."""
    op.execute(COLUMN)
    op.execute(INDEXES)


def downgrade() -> None:
    """Drop them."""
    op.execute(f"DROP INDEX {', '.join(NAMES)}")
    op.execute("ALTER TABLE media DROP COLUMN copy_of")
