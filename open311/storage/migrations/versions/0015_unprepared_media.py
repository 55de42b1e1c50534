"""An index of the photos that wait or were refused, for /metrics and for the sweep."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INDEX = """
CREATE INDEX media_unprepared_idx ON media (jurisdiction_id, state) WHERE state IN ('waiting', 'refused');
"""


def upgrade() -> None:
    """Add the index. The table is as new as this release, so it is small."""
    op.execute(INDEX)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX media_unprepared_idx")
