"""People who say "me too" about a request."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE supporter (
    jurisdiction_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    api_key_id BIGINT NOT NULL,
    person BYTEA NOT NULL,
    given_at TIMESTAMPTZ,
    CONSTRAINT supporter_pkey PRIMARY KEY (jurisdiction_id, request_id, api_key_id, person),
    CONSTRAINT supporter_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX supporter_person_idx ON supporter (jurisdiction_id, person, request_id) WHERE given_at IS NOT NULL;
CREATE INDEX supporter_known_idx ON supporter (jurisdiction_id, request_id) WHERE given_at IS NOT NULL;
"""


def upgrade() -> None:
    """Create the table. Nobody supports anything yet, so no publication changes."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop the table. Publications keep their numbers until they are rendered again."""
    op.execute("DROP TABLE supporter")
