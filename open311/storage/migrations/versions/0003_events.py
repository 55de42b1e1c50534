"""Typed events, versions of requests, the outbox, and counts of requests.

The previous release may go on for as long as an upgrade takes: a trigger gives the events that it writes a type.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE request_event
    ADD COLUMN actor TEXT DEFAULT 'system' NOT NULL,
    ADD COLUMN cause TEXT DEFAULT '' NOT NULL,
    ADD COLUMN version BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN data JSONB DEFAULT '{}' NOT NULL;
ALTER TABLE service_request ADD COLUMN version BIGINT DEFAULT 1 NOT NULL;
"""

TABLES = """
CREATE TABLE outbox (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (jurisdiction_id, id)
);
CREATE INDEX outbox_id_idx ON outbox (id);

CREATE TABLE request_count (
    jurisdiction_id TEXT NOT NULL,
    department TEXT NOT NULL,
    status TEXT NOT NULL,
    requests BIGINT NOT NULL,
    CONSTRAINT request_count_pkey PRIMARY KEY (jurisdiction_id, department, status)
);
INSERT INTO request_count (jurisdiction_id, department, status, requests)
    SELECT jurisdiction_id, department, status, count(*) FROM service_request GROUP BY 1, 2, 3;
"""

# What an event of release 0.1 says in its line of text, as the fields of its kind.
TYPED = """
CREATE FUNCTION typed_event_data(kind TEXT, description TEXT) RETURNS JSONB LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 'routed' THEN jsonb_build_object('department', split_part(description, ' (', 1),
            'reason', rtrim(substr(description, length(split_part(description, ' (', 1)) + 3), ')'))
        WHEN 'triage' THEN jsonb_build_object('department', split_part(description, ' (', 1),
            'reason', rtrim(substr(description, length(split_part(description, ' (', 1)) + 3), ')'))
        WHEN 'status' THEN jsonb_build_object('old', '', 'new', description)
        WHEN 'transferred' THEN jsonb_build_object('old', '', 'new', '', 'name', description)
        WHEN 'visibility' THEN jsonb_build_object('old', '', 'new', description)
        WHEN 'expected' THEN jsonb_build_object('expected',
            to_char(description::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
        WHEN 'resolved' THEN jsonb_build_object('service_request_id', description)
        WHEN 'rejected' THEN jsonb_build_object('reason', description)
        WHEN 'areas' THEN jsonb_build_object('old',
            CASE WHEN description = 'was: none' THEN '[]'::jsonb
                ELSE to_jsonb(string_to_array(substr(description, 6), ', ')) END, 'new', '[]'::jsonb)
        ELSE '{}'::jsonb
    END
$$;

CREATE FUNCTION type_event() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'note' AND NEW.visibility = 'staff' THEN
        NEW.kind := 'outside';
    END IF;
    IF NEW.kind = 'imported' THEN
        NEW.cause := NEW.description;
    END IF;
    NEW.data := typed_event_data(NEW.kind, NEW.description);
    RETURN NEW;
END $$;

UPDATE request_event SET
    kind = CASE WHEN kind = 'note' AND visibility = 'staff' THEN 'outside' ELSE kind END,
    cause = CASE WHEN kind = 'imported' THEN description ELSE '' END,
    data = typed_event_data(kind, description)
    WHERE kind NOT IN ('received', 'example') AND NOT (kind = 'note' AND visibility = 'public');

CREATE TRIGGER request_event_of_release_0_1 BEFORE INSERT ON request_event
    FOR EACH ROW WHEN (NEW.version = 0) EXECUTE FUNCTION type_event();
"""


def upgrade() -> None:
    """Add columns and tables, and give the events that are there a type."""
    op.execute(COLUMNS)
    op.execute(TYPED)
    op.execute(TABLES)


def downgrade() -> None:
    """Leave each event its line of text; what the previous release has no kind for becomes a note for staff."""
    op.execute("DROP TRIGGER request_event_of_release_0_1 ON request_event")
    op.execute("UPDATE request_event SET kind = 'note' WHERE kind = 'outside'")
    op.execute("DROP FUNCTION type_event()")
    op.execute("DROP FUNCTION typed_event_data(TEXT, TEXT)")
    op.execute("DROP TABLE outbox, request_count")
    op.execute("ALTER TABLE service_request DROP COLUMN version")
    op.execute(
        "ALTER TABLE request_event DROP COLUMN actor, DROP COLUMN cause, DROP COLUMN version, DROP COLUMN data"
    )
