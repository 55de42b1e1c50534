"""Sensors: keys that may only send observations, the last observations, and the state of each rule."""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE api_key ADD COLUMN things TEXT[] DEFAULT '{}' NOT NULL;

CREATE TABLE sensor_reading (
    jurisdiction_id TEXT NOT NULL,
    datastream TEXT NOT NULL,
    thing TEXT NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    result_at TIMESTAMPTZ,
    result DOUBLE PRECISION NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    api_key_id BIGINT NOT NULL,
    taken BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT sensor_reading_pkey PRIMARY KEY (jurisdiction_id, datastream)
);

CREATE TABLE sensor_condition (
    jurisdiction_id TEXT NOT NULL,
    thing TEXT NOT NULL,
    rule TEXT NOT NULL,
    phase TEXT DEFAULT 'calm' NOT NULL,
    since TIMESTAMPTZ,
    observed_at TIMESTAMPTZ,
    result DOUBLE PRECISION,
    worst DOUBLE PRECISION,
    number BIGINT,
    opened_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    reopenings INTEGER DEFAULT 0 NOT NULL,
    repeats BIGINT DEFAULT 0 NOT NULL,
    noted_at TIMESTAMPTZ,
    is_left BOOLEAN DEFAULT false NOT NULL,
    left_at TIMESTAMPTZ,
    version BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT sensor_condition_pkey PRIMARY KEY (jurisdiction_id, thing, rule),
    CONSTRAINT sensor_condition_service_request_fkey FOREIGN KEY (jurisdiction_id, number)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX sensor_condition_request_idx ON sensor_condition (jurisdiction_id, number) WHERE number IS NOT NULL;
"""
UNDO = """
DROP TABLE sensor_condition;
DROP TABLE sensor_reading;
DELETE FROM api_key WHERE things <> '{}';
ALTER TABLE api_key DROP COLUMN things;
"""


def upgrade() -> None:
    """Add the tables, and the column with a default that no row is rewritten for."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them. Keys of sensors are deleted, because without the column they could send everything."""
    op.execute(UNDO)
