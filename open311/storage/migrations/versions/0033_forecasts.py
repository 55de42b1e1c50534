"""Forecasts, which a job makes once a day."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE forecast_run (
    jurisdiction_id TEXT NOT NULL,
    as_of TIMESTAMPTZ NOT NULL,
    without_row INTEGER NOT NULL,
    CONSTRAINT forecast_run_pkey PRIMARY KEY (jurisdiction_id)
);
CREATE TABLE forecast (
    jurisdiction_id TEXT NOT NULL,
    service_code TEXT NOT NULL,
    area TEXT NOT NULL,
    outlook JSONB NOT NULL,
    CONSTRAINT forecast_pkey PRIMARY KEY (jurisdiction_id, service_code, area)
);
CREATE INDEX forecast_area_idx ON forecast (jurisdiction_id, area, service_code);
"""


def upgrade() -> None:
    """Add the tables. Until the worker has made forecasts, there are none."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE forecast, forecast_run")
