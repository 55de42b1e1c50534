"""The tables of the statistics: how each public request is counted, and the sums."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BUCKETS = ", ".join(f"bucket_{number} INTEGER" for number in range(108))

TABLES = """
CREATE TABLE counted_request (
    id BIGINT NOT NULL,
    requested_on DATE NOT NULL,
    closed_on DATE,
    hours INTEGER,
    due_at TIMESTAMPTZ,
    place SMALLINT NOT NULL,
    is_quick BOOLEAN NOT NULL,
    is_on_time BOOLEAN,
    jurisdiction_id TEXT NOT NULL,
    service_code TEXT NOT NULL,
    department TEXT NOT NULL,
    area TEXT NOT NULL,
    target TEXT NOT NULL,
    CONSTRAINT counted_request_pkey PRIMARY KEY (jurisdiction_id, id, place)
);
CREATE INDEX counted_request_open_idx ON counted_request
    (jurisdiction_id, service_code, department, area, requested_on, due_at, target, place) WHERE hours IS NULL;
CREATE INDEX counted_request_service_idx ON counted_request
    (jurisdiction_id, service_code, hours, requested_on, place, department) WHERE hours IS NOT NULL;
CREATE INDEX counted_request_department_idx ON counted_request
    (jurisdiction_id, department, hours, requested_on, place, service_code) WHERE hours IS NOT NULL;
CREATE INDEX counted_request_area_idx ON counted_request
    (jurisdiction_id, area, hours, requested_on, place, service_code, department) WHERE hours IS NOT NULL;
CREATE INDEX counted_request_hours_idx ON counted_request
    (jurisdiction_id, hours, requested_on, place, service_code) WHERE hours IS NOT NULL;
CREATE INDEX counted_request_day_idx ON counted_request
    (jurisdiction_id, requested_on, hours, place, service_code, department, area) WHERE hours IS NOT NULL;

CREATE TABLE closed_count (
    jurisdiction_id TEXT NOT NULL,
    cut TEXT NOT NULL,
    grain TEXT NOT NULL,
    service_code TEXT NOT NULL,
    department TEXT NOT NULL,
    area TEXT NOT NULL,
    period DATE NOT NULL,
    closed INTEGER,
    ended INTEGER,
    quick INTEGER,
    on_time INTEGER,
    late INTEGER,
    matched INTEGER,
    ambiguous INTEGER,
    not_managed INTEGER,
    [BUCKETS],
    CONSTRAINT closed_count_pkey
        PRIMARY KEY (jurisdiction_id, cut, grain, area, service_code, department, period)
) WITH (fillfactor = 80);
CREATE INDEX closed_count_service_idx ON closed_count (jurisdiction_id, cut, grain, service_code, period)
    WHERE cut = 'service_area';
CREATE INDEX closed_count_period_idx ON closed_count (jurisdiction_id, cut, grain, period)
    WHERE cut <> 'service_area';

CREATE TABLE statistics_check (
    jurisdiction_id TEXT NOT NULL,
    checked_until BIGINT DEFAULT 0 NOT NULL,
    checked_at TIMESTAMPTZ,
    CONSTRAINT statistics_check_pkey PRIMARY KEY (jurisdiction_id)
);
INSERT INTO statistics_check (jurisdiction_id)
SELECT jurisdiction_id FROM jurisdiction
WHERE EXISTS (SELECT FROM publication WHERE publication.jurisdiction_id = jurisdiction.jurisdiction_id);
"""


def upgrade() -> None:
    """Add the tables. The worker counts the requests that exist; until then their city has no statistics."""
    op.execute(TABLES.replace("[BUCKETS]", BUCKETS))


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE statistics_check, closed_count, counted_request")
