"""People get mail about all requests of a filter. Such a follower has a subscription instead of a request."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE follower ALTER COLUMN request_id DROP NOT NULL;
ALTER TABLE follower ADD COLUMN is_daily BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE follower ADD COLUMN told_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX follower_subscriber_idx ON follower (confirmed_at) WHERE request_id IS NULL;

ALTER TABLE subscription ADD COLUMN follower_id BIGINT;
ALTER TABLE subscription ADD CONSTRAINT subscription_follower_fkey FOREIGN KEY (jurisdiction_id, follower_id)
    REFERENCES follower (jurisdiction_id, id) ON DELETE CASCADE;
CREATE UNIQUE INDEX subscription_follower_idx ON subscription (jurisdiction_id, follower_id)
    WHERE follower_id IS NOT NULL;
"""
UNDO = """
DELETE FROM follower WHERE request_id IS NULL;
ALTER TABLE subscription DROP COLUMN follower_id;
DROP INDEX follower_subscriber_idx;
ALTER TABLE follower DROP COLUMN told_at, DROP COLUMN is_daily, ALTER COLUMN request_id SET NOT NULL;
"""


def upgrade() -> None:
    """Change the tables. They are small, and no row is written."""
    op.execute(CHANGES)


def downgrade() -> None:
    """Change them back. Nobody gets mail about filters any more."""
    op.execute(UNDO)
