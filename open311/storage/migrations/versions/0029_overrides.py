"""Admins of a city change texts and questions beside the city's files."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE override_list (
    jurisdiction_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT override_list_pkey PRIMARY KEY (jurisdiction_id)
);

CREATE TABLE catalogue_override (
    jurisdiction_id TEXT NOT NULL,
    item TEXT NOT NULL,
    value JSONB DEFAULT '{}' NOT NULL,
    base JSONB DEFAULT '{}' NOT NULL,
    version BIGINT NOT NULL,
    actor TEXT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT catalogue_override_pkey PRIMARY KEY (jurisdiction_id, item)
);
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them. Citizens read what the files of the cities say."""
    op.execute("DROP TABLE catalogue_override, override_list")
