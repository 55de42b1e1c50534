"""The work on requests: states, queues, accounts of staff, the audit trail, and comments from outside."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE service_request
    ADD COLUMN progress TEXT DEFAULT '' NOT NULL,
    ADD COLUMN progress_detail TEXT DEFAULT '' NOT NULL,
    ADD COLUMN assignee TEXT DEFAULT '' NOT NULL,
    ADD COLUMN priority TEXT DEFAULT 'normal' NOT NULL,
    ADD COLUMN scheduled_at TIMESTAMPTZ,
    ADD COLUMN held_since TIMESTAMPTZ,
    ADD COLUMN merged_into BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE request_event ADD COLUMN reason TEXT DEFAULT '' NOT NULL;
ALTER TABLE api_key ADD COLUMN may_update BOOLEAN DEFAULT false NOT NULL;
"""

INDEXES = """
CREATE INDEX service_request_queue_idx ON service_request
    (jurisdiction_id, department, coalesce(expected_at, 'infinity'::timestamptz), id)
    WHERE status = 'open' AND merged_into = 0;
CREATE INDEX service_request_due_idx ON service_request
    (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id)
    WHERE status = 'open' AND merged_into = 0;
CREATE INDEX service_request_assignee_idx ON service_request
    (jurisdiction_id, assignee, coalesce(expected_at, 'infinity'::timestamptz), id)
    WHERE status = 'open' AND merged_into = 0 AND assignee <> '';
CREATE INDEX service_request_progress_idx ON service_request
    (jurisdiction_id, progress, coalesce(expected_at, 'infinity'::timestamptz), id)
    WHERE status = 'open' AND merged_into = 0 AND progress <> '';
CREATE INDEX service_request_triage_idx ON service_request
    (jurisdiction_id, coalesce(expected_at, 'infinity'::timestamptz), id)
    WHERE status = 'open' AND merged_into = 0 AND is_triage;
CREATE INDEX service_request_merged_idx ON service_request (jurisdiction_id, merged_into) WHERE merged_into <> 0;
CREATE INDEX service_request_closed_idx ON service_request (jurisdiction_id, department, updated_at, id)
    WHERE status = 'closed';
CREATE INDEX service_request_place_idx ON service_request USING gist (jurisdiction_id, point)
    WHERE status = 'open' AND merged_into = 0;
CREATE INDEX service_request_unlisted_idx ON service_request (jurisdiction_id, id)
    WHERE visibility <> 'public' OR service_request_id IS NULL;
"""

TABLES = """
CREATE TABLE staff_account (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    departments TEXT[] DEFAULT '{}' NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    CONSTRAINT staff_account_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT staff_account_jurisdiction_id_name_key UNIQUE (jurisdiction_id, name)
);

CREATE TABLE staff_secret (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    account_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    CONSTRAINT staff_secret_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT staff_secret_staff_account_fkey FOREIGN KEY (jurisdiction_id, account_id)
        REFERENCES staff_account (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX staff_secret_digest_idx ON staff_secret (digest);
CREATE INDEX staff_secret_account_idx ON staff_secret (jurisdiction_id, account_id);

CREATE TABLE staff_view (
    jurisdiction_id TEXT NOT NULL,
    account_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    filters JSONB NOT NULL,
    CONSTRAINT staff_view_pkey PRIMARY KEY (jurisdiction_id, account_id, name),
    CONSTRAINT staff_view_staff_account_fkey FOREIGN KEY (jurisdiction_id, account_id)
        REFERENCES staff_account (jurisdiction_id, id) ON DELETE CASCADE
);

CREATE TABLE staff_repeat (
    jurisdiction_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    client_key TEXT NOT NULL,
    digest BYTEA NOT NULL,
    request_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT staff_repeat_pkey PRIMARY KEY (jurisdiction_id, actor, client_key)
);
CREATE INDEX staff_repeat_created_idx ON staff_repeat (created_at);

CREATE TABLE audit_entry (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (jurisdiction_id, id)
);
CREATE INDEX audit_entry_subject_idx ON audit_entry (jurisdiction_id, subject);

CREATE TABLE received_update (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    api_key_id BIGINT NOT NULL,
    update_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    client_key TEXT DEFAULT '' NOT NULL,
    digest BYTEA NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    email TEXT DEFAULT '' NOT NULL,
    first_name TEXT DEFAULT '' NOT NULL,
    last_name TEXT DEFAULT '' NOT NULL,
    phone TEXT DEFAULT '' NOT NULL,
    account_id TEXT DEFAULT '' NOT NULL,
    media_urls TEXT[] DEFAULT '{}' NOT NULL,
    CONSTRAINT received_update_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT received_update_jurisdiction_id_api_key_id_update_id_key
        UNIQUE (jurisdiction_id, api_key_id, update_id),
    CONSTRAINT received_update_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX received_update_request_idx ON received_update (jurisdiction_id, request_id);

CREATE TABLE public_update (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    status TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    media_url TEXT DEFAULT '' NOT NULL,
    CONSTRAINT public_update_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT public_update_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX public_update_at_idx ON public_update (jurisdiction_id, at, id);
CREATE INDEX public_update_request_idx ON public_update (jurisdiction_id, request_id);
"""

NOTES = """
UPDATE request_event SET kind = 'outside', visibility = 'staff', data = '{}'
    WHERE kind IN ('assigned', 'priority', 'progress', 'visit', 'internal_note', 'question', 'comment',
        'public_comment', 'merged', 'unmerged', 'service', 'corrected');
"""


def upgrade() -> None:
    """Add columns, indexes and tables. New columns have constant defaults, so no row is written."""
    op.execute(COLUMNS)
    op.execute(INDEXES)
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them. Events that the previous release does not know become notes for staff, with what they say."""
    op.execute(NOTES)
    op.execute("DROP TABLE public_update, received_update")
    op.execute("DROP TABLE audit_entry, staff_repeat, staff_view, staff_secret, staff_account")
    op.execute("DROP INDEX service_request_closed_idx, service_request_place_idx, service_request_unlisted_idx")
    op.execute("ALTER TABLE api_key DROP COLUMN may_update")
    op.execute("ALTER TABLE request_event DROP COLUMN reason")
    op.execute(
        "ALTER TABLE service_request DROP COLUMN progress, DROP COLUMN progress_detail, DROP COLUMN assignee,"
        " DROP COLUMN priority,"
        " DROP COLUMN scheduled_at, DROP COLUMN held_since, DROP COLUMN merged_into"
    )
