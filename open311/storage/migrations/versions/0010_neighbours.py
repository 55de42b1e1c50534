"""Neighbours with which a city federates, the ways of requests between servers, and the own ids of partners."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE external_id ADD COLUMN digest BYTEA;
ALTER TABLE jurisdiction ADD COLUMN federation_id TEXT DEFAULT (gen_random_uuid())::text NOT NULL;

CREATE TABLE request_origin (
    jurisdiction_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    via TEXT[] NOT NULL,
    url TEXT DEFAULT '' NOT NULL,
    is_trusted BOOLEAN NOT NULL,
    CONSTRAINT request_origin_pkey PRIMARY KEY (jurisdiction_id, request_id),
    CONSTRAINT request_origin_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX request_origin_via_idx ON request_origin USING gin (via) WHERE is_trusted;

CREATE TABLE remote (
    jurisdiction_id TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    url TEXT NOT NULL,
    remote_jurisdiction TEXT DEFAULT '' NOT NULL,
    format TEXT DEFAULT 'json' NOT NULL,
    key_env TEXT DEFAULT '' NOT NULL,
    key_file TEXT DEFAULT '' NOT NULL,
    partner_key BIGINT DEFAULT 0 NOT NULL,
    federation_id TEXT DEFAULT '' NOT NULL,
    areas TEXT[] DEFAULT '{}' NOT NULL,
    services TEXT[] DEFAULT '{}' NOT NULL,
    codes JSONB DEFAULT '{}'::jsonb NOT NULL,
    shared TEXT[] DEFAULT '{}' NOT NULL,
    abilities TEXT[] DEFAULT '{}' NOT NULL,
    pushes BOOLEAN NOT NULL,
    pulls BOOLEAN NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    synced_at TIMESTAMPTZ,
    pulled_at TIMESTAMPTZ,
    pulled_until TIMESTAMPTZ,
    pull_due_at TIMESTAMPTZ NOT NULL,
    pull_leased_until TIMESTAMPTZ,
    pull_asked TEXT DEFAULT '' NOT NULL,
    pull_failures BIGINT DEFAULT 0 NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    CONSTRAINT remote_pkey PRIMARY KEY (jurisdiction_id, name)
);

CREATE TABLE remote_name (
    jurisdiction_id TEXT NOT NULL,
    name TEXT NOT NULL,
    federation_id TEXT NOT NULL,
    CONSTRAINT remote_name_pkey PRIMARY KEY (jurisdiction_id, name)
);

CREATE TABLE remote_service (
    jurisdiction_id TEXT NOT NULL,
    remote TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    group_name TEXT DEFAULT '' NOT NULL,
    type TEXT DEFAULT '' NOT NULL,
    first_seen_at TIMESTAMPTZ NOT NULL,
    retired_at TIMESTAMPTZ,
    CONSTRAINT remote_service_pkey PRIMARY KEY (jurisdiction_id, remote, code),
    CONSTRAINT remote_service_remote_fkey FOREIGN KEY (jurisdiction_id, remote)
        REFERENCES remote (jurisdiction_id, name) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Add the tables and columns."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute(
        "DROP TABLE remote_service, remote_name, remote, request_origin;"
        " ALTER TABLE jurisdiction DROP COLUMN federation_id;"
        " ALTER TABLE external_id DROP COLUMN digest"
    )
