"""Which requests have personal data in their public texts, and what of it staff let the public read."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE service_request ADD COLUMN unmasked TEXT[] DEFAULT '{}' NOT NULL;
CREATE INDEX service_request_repeats_idx ON service_request (jurisdiction_id, possible_duplicate_of)
    WHERE possible_duplicate_of <> '';

CREATE TABLE personal_data (
    jurisdiction_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    kinds TEXT[] NOT NULL,
    CONSTRAINT personal_data_pkey PRIMARY KEY (jurisdiction_id, request_id),
    CONSTRAINT personal_data_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Add the table and the column."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute(
        "DROP TABLE personal_data; DROP INDEX service_request_repeats_idx;"
        " ALTER TABLE service_request DROP COLUMN unmasked"
    )
