"""Indexes by which close tiles of the map find the newest requests of a cell, and queues are counted.

The number of a cell of zoom 14 has its column in the upper bits and its row in the lower 14 bits.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION close_cell(lat DOUBLE PRECISION, long DOUBLE PRECISION) RETURNS INTEGER
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((floor((long + 180) / 360 * 16384)::integer & 16383) << 14)
        + greatest(0, least(16383, floor((1 - asinh(tan(radians(lat))) / pi()) / 2 * 16384)::integer))
$$;
"""
CELLS = """
CREATE INDEX publication_cell_idx ON publication
    (jurisdiction_id, close_cell(lat, long), requested_at DESC, id DESC, lat, long, service_code)
    INCLUDE (status, updated_at, service_request_id)
    WHERE visibility = 'public';
CREATE INDEX publication_open_cell_idx ON publication
    (jurisdiction_id, close_cell(lat, long), requested_at DESC, id DESC, lat, long, service_code)
    INCLUDE (status, updated_at, service_request_id)
    WHERE visibility = 'public' AND status = 'open';
"""
OLD_QUEUES = """
DROP INDEX service_request_due_idx, service_request_assignee_idx, service_request_triage_idx;
"""
QUEUES = """
CREATE INDEX service_request_due_idx ON service_request
    (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id){due}
    WHERE status = 'open' AND merged_into = 0;
CREATE INDEX service_request_assignee_idx ON service_request
    (jurisdiction_id, assignee, coalesce(expected_at, 'infinity'::timestamptz), id){assignee}
    WHERE status = 'open' AND merged_into = 0 AND assignee <> '';
CREATE INDEX service_request_triage_idx ON service_request
    (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id){triage}
    WHERE status = 'open' AND merged_into = 0 AND is_triage;
"""


def upgrade() -> None:
    """Add a function and two indexes, and columns to three indexes of queues, so that they suffice for counts."""
    op.execute(FUNCTION)
    op.execute(CELLS)
    op.execute(OLD_QUEUES)
    op.execute(
        QUEUES.format(
            due=" INCLUDE (department, expected_at, held_since)",
            assignee=" INCLUDE (department)",
            triage=" INCLUDE (department, progress)",
        )
    )


def downgrade() -> None:
    """Restore the indexes of queues, and drop the others and the function."""
    op.execute(OLD_QUEUES)
    op.execute(QUEUES.format(due="", assignee="", triage=""))
    op.execute("DROP INDEX publication_cell_idx, publication_open_cell_idx")
    op.execute("DROP FUNCTION close_cell(DOUBLE PRECISION, DOUBLE PRECISION)")
