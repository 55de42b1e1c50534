"""Where the requests of the map are counted, and the counts.

The server keeps the counts with each change. This migration counts the requests that are public already.
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE mapped_request (
    request_id BIGINT NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    is_open BOOLEAN NOT NULL,
    jurisdiction_id TEXT NOT NULL,
    service_code TEXT NOT NULL,
    CONSTRAINT mapped_request_pkey PRIMARY KEY (jurisdiction_id, request_id)
);

CREATE TABLE map_cell (
    jurisdiction_id TEXT NOT NULL,
    zoom INTEGER NOT NULL,
    service_code TEXT NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    opened BIGINT NOT NULL,
    closed BIGINT NOT NULL,
    CONSTRAINT map_cell_pkey PRIMARY KEY (jurisdiction_id, zoom, service_code, x, y)
);
"""

BACKFILL = """
INSERT INTO mapped_request (jurisdiction_id, request_id, x, y, is_open, service_code)
    SELECT jurisdiction_id, id,
        floor((long + 180) / 360 * 32768)::integer & 32767,
        floor((1 - asinh(tan(radians(lat))) / pi()) * 16384)::integer,
        status = 'open', service_code
    FROM publication WHERE visibility = 'public' AND point IS NOT NULL;

INSERT INTO map_cell (jurisdiction_id, zoom, service_code, x, y, opened, closed)
    SELECT jurisdiction_id, zoom, counted, x >> (15 - zoom), y >> (15 - zoom),
        count(*) FILTER (WHERE is_open), count(*) FILTER (WHERE NOT is_open)
    FROM mapped_request, unnest(ARRAY[5, 7, 9, 11, 13, 15]) AS zoom, unnest(ARRAY['', service_code]) AS counted
    GROUP BY 1, 2, 3, 4, 5;
"""


def upgrade() -> None:
    """Make the tables and fill them."""
    op.execute(TABLES)
    op.execute(BACKFILL)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE mapped_request, map_cell")
