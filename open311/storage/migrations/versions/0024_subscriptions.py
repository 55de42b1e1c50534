"""Subscriptions, their webhooks, and what subscribers are still to be told.

The server keeps what subscribers know of a request with each change. This migration stores it for the requests
that are public already.
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE subscription (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    api_key_id BIGINT,
    label TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    request_id BIGINT,
    service_request_id TEXT DEFAULT '' NOT NULL,
    service_codes TEXT[] DEFAULT '{}' NOT NULL,
    service_group TEXT DEFAULT '' NOT NULL,
    statuses TEXT[] DEFAULT '{}' NOT NULL,
    department TEXT DEFAULT '' NOT NULL,
    area TEXT DEFAULT '' NOT NULL,
    bbox DOUBLE PRECISION[],
    circle DOUBLE PRECISION[],
    match_keys TEXT[] DEFAULT '{}' NOT NULL,
    shape geometry(GEOMETRY,4326),
    CONSTRAINT subscription_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT subscription_jurisdiction_id_name_key UNIQUE (jurisdiction_id, name),
    CONSTRAINT subscription_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);

CREATE INDEX subscription_keys_idx ON subscription USING gin (match_keys) WITH (fastupdate = off)
    WHERE state IN ('active', 'paused');
CREATE INDEX subscription_shape_idx ON subscription USING gist (jurisdiction_id, shape)
    WHERE state IN ('active', 'paused');
CREATE INDEX subscription_owner_idx ON subscription (api_key_id, jurisdiction_id, id);
CREATE INDEX subscription_request_idx ON subscription (jurisdiction_id, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE webhook (
    jurisdiction_id TEXT NOT NULL,
    subscription_id BIGINT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    old_secret TEXT DEFAULT '' NOT NULL,
    old_secret_until TIMESTAMP WITH TIME ZONE,
    challenge TEXT DEFAULT '' NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE NOT NULL,
    failures BIGINT DEFAULT 0 NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    cause TEXT DEFAULT '' NOT NULL,
    succeeded_at TIMESTAMP WITH TIME ZONE,
    sent BIGINT DEFAULT 0 NOT NULL,
    replayed_by xid8,
    replayed_number BIGINT,
    CONSTRAINT webhook_pkey PRIMARY KEY (jurisdiction_id, subscription_id),
    CONSTRAINT webhook_subscription_fkey FOREIGN KEY (jurisdiction_id, subscription_id)
        REFERENCES subscription (jurisdiction_id, id) ON DELETE CASCADE
);

CREATE INDEX webhook_next_idx ON webhook (next_at) WHERE challenge <> '' OR replayed_by IS NOT NULL;

CREATE TABLE notification (
    jurisdiction_id TEXT NOT NULL,
    subscription_id BIGINT NOT NULL,
    request_id BIGINT NOT NULL,
    revision BIGINT DEFAULT 1 NOT NULL,
    is_gone BOOLEAN DEFAULT false NOT NULL,
    changes TEXT[] DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT notification_pkey PRIMARY KEY (jurisdiction_id, subscription_id, request_id),
    CONSTRAINT notification_subscription_fkey FOREIGN KEY (jurisdiction_id, subscription_id)
        REFERENCES subscription (jurisdiction_id, id) ON DELETE CASCADE
);

CREATE INDEX notification_due_idx ON notification (jurisdiction_id, subscription_id, due_at, request_id);

CREATE TABLE announced_request (
    jurisdiction_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    written_by xid8 NOT NULL,
    service_code TEXT NOT NULL,
    status TEXT NOT NULL,
    department TEXT NOT NULL,
    areas TEXT[] NOT NULL,
    lat DOUBLE PRECISION,
    long DOUBLE PRECISION,
    CONSTRAINT announced_request_pkey PRIMARY KEY (jurisdiction_id, request_id)
);
"""

BACKFILL = """
INSERT INTO announced_request
        (jurisdiction_id, request_id, written_by, service_code, status, department, areas, lat, long)
    SELECT jurisdiction_id, id, written_by, service_code, status, published_department(json_extras), areas, lat,
        long
    FROM publication WHERE visibility = 'public';
"""


def upgrade() -> None:
    """Make the tables and fill them."""
    op.execute(TABLES)
    op.execute(BACKFILL)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE announced_request, notification, webhook, subscription")
