"""Text messages to reporters who ask for them."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE reporter ADD COLUMN sms_language TEXT DEFAULT '' NOT NULL;

CREATE TABLE sms (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    request_id BIGINT NOT NULL,
    occasion TEXT NOT NULL,
    recipient BYTEA,
    state TEXT DEFAULT 'waiting' NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT sms_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT sms_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX sms_due_idx ON sms (due_at, id) WHERE state IN ('waiting', 'sending');
CREATE INDEX sms_request_idx ON sms (jurisdiction_id, request_id);
CREATE UNIQUE INDEX sms_untried_idx ON sms (jurisdiction_id, request_id, occasion)
    WHERE state = 'waiting' AND recipient IS NULL;
CREATE INDEX sms_recipient_idx ON sms (jurisdiction_id, recipient, ended_at)
    WHERE state IN ('sending', 'done');
CREATE INDEX sms_sent_idx ON sms (jurisdiction_id, ended_at) WHERE state IN ('sending', 'done');
CREATE INDEX sms_ended_idx ON sms (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE sms_stop (
    jurisdiction_id TEXT NOT NULL,
    recipient BYTEA NOT NULL,
    stopped_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT sms_stop_pkey PRIMARY KEY (jurisdiction_id, recipient)
);
"""


def upgrade() -> None:
    """Add the tables, and a column with a constant default, so no row is written."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them. Nobody gets text messages any more, also those who asked for them."""
    op.execute("DROP TABLE sms, sms_stop")
    op.execute("ALTER TABLE reporter DROP COLUMN sms_language")
