"""Deliveries to back offices, their updates, and the ids of requests in other systems."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE delivery (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    backend TEXT NOT NULL,
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    is_uncertain BOOLEAN DEFAULT false NOT NULL,
    token TEXT DEFAULT '' NOT NULL,
    remote_id TEXT DEFAULT '' NOT NULL,
    missing TEXT[] DEFAULT '{}' NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT delivery_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT delivery_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX delivery_due_idx ON delivery (jurisdiction_id, backend, due_at, id)
    WHERE state IN ('waiting', 'sending', 'pending');
CREATE INDEX delivery_request_idx ON delivery (jurisdiction_id, request_id, backend, id);
CREATE INDEX delivery_ended_idx ON delivery (ended_at) WHERE subject = 'update' AND ended_at IS NOT NULL;
CREATE INDEX delivery_key_idx ON delivery (jurisdiction_id, backend, key);
CREATE INDEX delivery_stopped_idx ON delivery (jurisdiction_id, backend, id) WHERE state IN ('parked', 'uncertain');
CREATE INDEX delivery_open_idx ON delivery (jurisdiction_id, id)
    WHERE state IN ('waiting', 'sending', 'pending', 'uncertain', 'parked');

CREATE TABLE destination (
    jurisdiction_id TEXT NOT NULL,
    backend TEXT NOT NULL,
    failures BIGINT DEFAULT 0 NOT NULL,
    failing_since TIMESTAMPTZ,
    rests_until TIMESTAMPTZ,
    succeeded_at TIMESTAMPTZ,
    cause TEXT DEFAULT '' NOT NULL,
    cursor TEXT DEFAULT '' NOT NULL,
    pulled_at TIMESTAMPTZ,
    pull_due_at TIMESTAMPTZ,
    pull_failures BIGINT DEFAULT 0 NOT NULL,
    pull_cause TEXT DEFAULT '' NOT NULL,
    CONSTRAINT destination_pkey PRIMARY KEY (jurisdiction_id, backend)
);

CREATE TABLE backend_value (
    jurisdiction_id TEXT NOT NULL,
    backend TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT backend_value_pkey PRIMARY KEY (jurisdiction_id, backend, name)
);

CREATE TABLE external_id (
    jurisdiction_id TEXT NOT NULL,
    system TEXT NOT NULL,
    external_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT external_id_pkey PRIMARY KEY (jurisdiction_id, system, external_id),
    CONSTRAINT external_id_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX external_id_request_idx ON external_id (jurisdiction_id, request_id);
CREATE INDEX external_id_name_idx ON external_id (jurisdiction_id, external_id);

CREATE TABLE remote_update (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    backend TEXT NOT NULL,
    update_id TEXT NOT NULL,
    remote_id TEXT DEFAULT '' NOT NULL,
    reference TEXT DEFAULT '' NOT NULL,
    request_id BIGINT,
    version BIGINT DEFAULT 0 NOT NULL,
    state TEXT NOT NULL,
    status TEXT DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    media_urls TEXT[] DEFAULT '{}' NOT NULL,
    at TIMESTAMPTZ,
    received_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ,
    is_snapshot BOOLEAN DEFAULT false NOT NULL,
    is_unreadable BOOLEAN DEFAULT false NOT NULL,
    digest TEXT DEFAULT '' NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    CONSTRAINT remote_update_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT remote_update_key UNIQUE (jurisdiction_id, backend, update_id, remote_id, reference),
    CONSTRAINT remote_update_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX remote_update_request_idx ON remote_update (jurisdiction_id, request_id, backend, at);
CREATE INDEX remote_update_case_idx ON remote_update (jurisdiction_id, backend, remote_id, id);
CREATE INDEX remote_update_due_idx ON remote_update (jurisdiction_id, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX remote_update_received_idx ON remote_update (received_at);
CREATE INDEX remote_update_quarantined_idx ON remote_update (jurisdiction_id, id) WHERE state = 'quarantined';

CREATE TABLE operator_notice (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    backend TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    known BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    sent_at TIMESTAMPTZ,
    sent_by TEXT[] DEFAULT '{}' NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    CONSTRAINT operator_notice_pkey PRIMARY KEY (jurisdiction_id, id)
);
CREATE INDEX operator_notice_backend_idx ON operator_notice (jurisdiction_id, backend, id);
CREATE INDEX operator_notice_due_idx ON operator_notice (due_at) WHERE sent_at IS NULL;
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE operator_notice, remote_update, external_id, backend_value, destination, delivery")
