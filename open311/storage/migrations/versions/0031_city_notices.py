"""Notices of a city, which staff write and everybody reads for a time."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE city_notice (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    texts JSONB NOT NULL,
    service_codes TEXT[] DEFAULT '{}' NOT NULL,
    area TEXT DEFAULT '' NOT NULL,
    polygon JSONB,
    category TEXT NOT NULL,
    severity TEXT NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    sent_at TIMESTAMPTZ[] NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    CONSTRAINT city_notice_pkey PRIMARY KEY (jurisdiction_id, id)
);
CREATE INDEX city_notice_ends_idx ON city_notice (jurisdiction_id, ends_at);
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE city_notice")
