"""Indexes by which close tiles of the map find the newest requests of a cell, and queues are counted."""

from __future__ import annotations

from alembic import op

from open311.storage.migrations.indexes import build_indexes

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

LARGE_INDEXES = {
    "publication_cell_idx": """publication
        (jurisdiction_id, close_cell(lat, long), requested_at DESC, id DESC, lat, long, service_code)
        INCLUDE (status, updated_at, service_request_id)
        WHERE visibility = 'public'""",
    "publication_open_cell_idx": """publication
        (jurisdiction_id, close_cell(lat, long), requested_at DESC, id DESC, lat, long, service_code)
        INCLUDE (status, updated_at, service_request_id)
        WHERE visibility = 'public' AND status = 'open'""",
    "service_request_waiting_idx": """service_request
        (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id)
        INCLUDE (department, expected_at, held_since)
        WHERE status = 'open' AND merged_into = 0""",
    "service_request_assigned_idx": """service_request
        (jurisdiction_id, assignee, coalesce(expected_at, 'infinity'::timestamptz), id)
        INCLUDE (department)
        WHERE status = 'open' AND merged_into = 0 AND assignee <> ''""",
    "service_request_sorting_idx": """service_request
        (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id)
        INCLUDE (department, progress)
        WHERE status = 'open' AND merged_into = 0 AND is_triage""",
}
"""`open311 db migrate` builds these concurrently before this migration runs."""
REPLACED = {
    "service_request_due_idx": """service_request
        (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id)
        WHERE status = 'open' AND merged_into = 0""",
    "service_request_assignee_idx": """service_request
        (jurisdiction_id, assignee, coalesce(expected_at, 'infinity'::timestamptz), id)
        WHERE status = 'open' AND merged_into = 0 AND assignee <> ''""",
    "service_request_triage_idx": """service_request
        (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id)
        WHERE status = 'open' AND merged_into = 0 AND is_triage""",
}


def upgrade() -> None:
    """Build the indexes that do not exist yet, and drop those that they replace."""
    build_indexes(op.get_bind(), LARGE_INDEXES)
    op.execute(f"DROP INDEX {', '.join(REPLACED)}")


def downgrade() -> None:
    """Restore the replaced indexes, and drop the others."""
    build_indexes(op.get_bind(), REPLACED)
    op.execute(f"DROP INDEX {', '.join(LARGE_INDEXES)}")
