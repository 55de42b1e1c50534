"""Mail to people who follow a request, and to departments."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE reporter ADD COLUMN language TEXT DEFAULT '' NOT NULL;

CREATE TABLE follower (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    request_id BIGINT NOT NULL,
    email TEXT NOT NULL,
    language TEXT NOT NULL,
    is_reporter BOOLEAN NOT NULL,
    told_version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    confirmed_at TIMESTAMPTZ,
    CONSTRAINT follower_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT follower_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX follower_request_idx ON follower (jurisdiction_id, request_id, lower(email));
CREATE INDEX follower_email_idx ON follower (jurisdiction_id, lower(email), request_id);
CREATE INDEX follower_unconfirmed_idx ON follower (created_at) WHERE confirmed_at IS NULL;

CREATE TABLE mail (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    kind TEXT NOT NULL,
    follower_id BIGINT,
    department TEXT DEFAULT '' NOT NULL,
    numbers BIGINT[] DEFAULT '{}' NOT NULL,
    recipient BYTEA NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    since_version BIGINT DEFAULT 0 NOT NULL,
    upto_version BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT mail_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT mail_follower_fkey FOREIGN KEY (jurisdiction_id, follower_id)
        REFERENCES follower (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX mail_due_idx ON mail (due_at, id) WHERE state IN ('waiting', 'sending');
CREATE INDEX mail_follower_idx ON mail (jurisdiction_id, follower_id);
CREATE INDEX mail_recipient_idx ON mail (jurisdiction_id, recipient, created_at);
CREATE INDEX mail_unasked_idx ON mail (jurisdiction_id, created_at) WHERE kind IN ('received', 'confirm');
CREATE INDEX mail_ended_idx ON mail (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX mail_changes_idx ON mail (jurisdiction_id, follower_id)
    WHERE kind = 'changes' AND state = 'waiting' AND upto_version = 0;
CREATE UNIQUE INDEX mail_department_idx ON mail (jurisdiction_id, department, kind)
    WHERE department <> '' AND state = 'waiting' AND upto_version = 0;

CREATE TABLE mail_recipient (
    jurisdiction_id TEXT NOT NULL,
    recipient BYTEA NOT NULL,
    bounces BIGINT DEFAULT 0 NOT NULL,
    stopped_for TEXT DEFAULT '' NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT mail_recipient_pkey PRIMARY KEY (jurisdiction_id, recipient)
);

CREATE TABLE mail_reminder (
    jurisdiction_id TEXT NOT NULL,
    overdue_at TIMESTAMPTZ NOT NULL,
    daily_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT mail_reminder_pkey PRIMARY KEY (jurisdiction_id)
);

CREATE TABLE mail_key (
    jurisdiction_id TEXT NOT NULL,
    secret TEXT NOT NULL,
    CONSTRAINT mail_key_pkey PRIMARY KEY (jurisdiction_id)
);
"""


def upgrade() -> None:
    """Add the tables, and a column with a constant default, so no row is written."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them. Nobody gets mail any more."""
    op.execute("DROP TABLE mail, follower, mail_recipient, mail_reminder, mail_key")
    op.execute("ALTER TABLE reporter DROP COLUMN language")
