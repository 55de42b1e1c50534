"""Catalogue, requests, their public side, keys."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE SEQUENCE request_number INCREMENT BY 16;

CREATE TABLE jurisdiction (
    jurisdiction_id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    changeset TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT jurisdiction_pkey PRIMARY KEY (jurisdiction_id)
);

CREATE TABLE department (
    jurisdiction_id TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT department_pkey PRIMARY KEY (jurisdiction_id, code),
    CONSTRAINT department_jurisdiction_fkey FOREIGN KEY(jurisdiction_id)
        REFERENCES jurisdiction (jurisdiction_id)
);

CREATE TABLE service (
    jurisdiction_id TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    group_name TEXT DEFAULT '' NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    CONSTRAINT service_pkey PRIMARY KEY (jurisdiction_id, code),
    CONSTRAINT service_jurisdiction_fkey FOREIGN KEY(jurisdiction_id)
        REFERENCES jurisdiction (jurisdiction_id)
);

CREATE TABLE service_request (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT NOT NULL,
    service_request_id TEXT,
    service_code TEXT NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    detailed_status TEXT DEFAULT '' NOT NULL,
    outcome TEXT DEFAULT '' NOT NULL,
    status_notes TEXT DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    department TEXT DEFAULT '' NOT NULL,
    agency_responsible TEXT DEFAULT '' NOT NULL,
    route_reason TEXT DEFAULT '' NOT NULL,
    is_triage BOOLEAN DEFAULT false NOT NULL,
    service_notice TEXT DEFAULT '' NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expected_at TIMESTAMP WITH TIME ZONE,
    lat DOUBLE PRECISION,
    long DOUBLE PRECISION,
    point geometry(POINT,4326),
    address TEXT DEFAULT '' NOT NULL,
    address_id TEXT DEFAULT '' NOT NULL,
    zipcode TEXT DEFAULT '' NOT NULL,
    is_outside BOOLEAN DEFAULT false NOT NULL,
    areas TEXT[] DEFAULT '{}' NOT NULL,
    media_urls TEXT[] DEFAULT '{}' NOT NULL,
    answers JSONB DEFAULT '[]' NOT NULL,
    visibility TEXT DEFAULT 'public' NOT NULL,
    source TEXT DEFAULT 'api' NOT NULL,
    channel TEXT DEFAULT '' NOT NULL,
    possible_duplicate_of TEXT DEFAULT '' NOT NULL,
    CONSTRAINT service_request_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT service_request_jurisdiction_id_service_request_id_key
        UNIQUE (jurisdiction_id, service_request_id),
    CONSTRAINT service_request_service_fkey FOREIGN KEY(jurisdiction_id, service_code)
        REFERENCES service (jurisdiction_id, code)
);
CREATE INDEX service_request_service_idx ON service_request (jurisdiction_id, service_code);

CREATE TABLE request_token (
    jurisdiction_id TEXT NOT NULL,
    token TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    service_request_id TEXT DEFAULT '' NOT NULL,
    failure TEXT DEFAULT '' NOT NULL,
    CONSTRAINT request_token_pkey PRIMARY KEY (jurisdiction_id, token),
    CONSTRAINT request_token_service_request_fkey FOREIGN KEY(jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX request_token_request_idx ON request_token (jurisdiction_id, request_id);

CREATE TABLE reporter (
    jurisdiction_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    email TEXT DEFAULT '' NOT NULL,
    first_name TEXT DEFAULT '' NOT NULL,
    last_name TEXT DEFAULT '' NOT NULL,
    phone TEXT DEFAULT '' NOT NULL,
    device_id TEXT DEFAULT '' NOT NULL,
    account_id TEXT DEFAULT '' NOT NULL,
    CONSTRAINT reporter_pkey PRIMARY KEY (jurisdiction_id, request_id),
    CONSTRAINT reporter_service_request_fkey FOREIGN KEY(jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);

CREATE TABLE request_event (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    visibility TEXT DEFAULT 'staff' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    CONSTRAINT request_event_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT request_event_service_request_fkey FOREIGN KEY(jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE
);
CREATE INDEX request_event_request_idx ON request_event (jurisdiction_id, request_id);

CREATE TABLE publication (
    id BIGINT NOT NULL,
    digest BIGINT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    written_by xid8 DEFAULT pg_current_xact_id() NOT NULL,
    has_media BOOLEAN DEFAULT false NOT NULL,
    was_public BOOLEAN NOT NULL,
    jurisdiction_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    json TEXT NOT NULL,
    xml TEXT NOT NULL,
    service_request_id TEXT NOT NULL,
    service_code TEXT NOT NULL,
    status TEXT NOT NULL,
    agency TEXT DEFAULT '' NOT NULL,
    json_extras TEXT[] NOT NULL,
    xml_extras TEXT[] NOT NULL,
    areas TEXT[] DEFAULT '{}' NOT NULL,
    words TSVECTOR NOT NULL,
    lat DOUBLE PRECISION,
    long DOUBLE PRECISION,
    point geometry(POINT,4326),
    bulk_csv TEXT NOT NULL,
    CONSTRAINT publication_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT publication_jurisdiction_id_service_request_id_key
        UNIQUE (jurisdiction_id, service_request_id),
    CONSTRAINT publication_service_request_fkey FOREIGN KEY(jurisdiction_id, id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE,
    CONSTRAINT publication_instants_check CHECK (requested_at <= updated_at AND updated_at <= changed_at)
);
CREATE INDEX publication_agency_idx
    ON publication (jurisdiction_id, agency, requested_at DESC, id DESC, lat, long)
    WHERE visibility = 'public';
CREATE INDEX publication_areas_idx ON publication USING gin (areas)
    WHERE visibility = 'public' AND areas <> '{}';
CREATE INDEX publication_changed_idx
    ON publication (jurisdiction_id, changed_at, id)
    WHERE visibility = 'public';
CREATE INDEX publication_media_idx
    ON publication (jurisdiction_id, requested_at DESC, id DESC)
    WHERE visibility = 'public' AND has_media;
CREATE INDEX publication_newest_idx
    ON publication (jurisdiction_id, requested_at DESC, id DESC, lat, long, changed_at)
    INCLUDE (digest, status, has_media)
    WHERE visibility = 'public';
CREATE INDEX publication_open_idx
    ON publication (jurisdiction_id, service_code, requested_at DESC, id DESC)
    WHERE visibility = 'public' AND status = 'open';
CREATE INDEX publication_open_newest_idx
    ON publication (jurisdiction_id, requested_at DESC, id DESC)
    WHERE visibility = 'public' AND status = 'open';
CREATE INDEX publication_point_idx
    ON publication USING gist (jurisdiction_id, point, requested_at)
    WHERE visibility = 'public';
CREATE INDEX publication_service_idx
    ON publication (jurisdiction_id, service_code, requested_at DESC, id DESC, lat, long)
    WHERE visibility = 'public';
CREATE INDEX publication_updated_idx
    ON publication (jurisdiction_id, updated_at, id, lat, long, changed_at)
    WHERE visibility = 'public';
CREATE INDEX publication_words_idx ON publication USING gin (words) WHERE visibility = 'public';
CREATE INDEX publication_written_idx ON publication (jurisdiction_id, written_by, id) WHERE was_public;

CREATE TABLE edition (
    jurisdiction_id TEXT NOT NULL,
    edition TEXT NOT NULL,
    rendered_until BIGINT DEFAULT 0 NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT edition_pkey PRIMARY KEY (jurisdiction_id),
    CONSTRAINT edition_jurisdiction_fkey FOREIGN KEY(jurisdiction_id)
        REFERENCES jurisdiction (jurisdiction_id)
);

CREATE TABLE change_mark (
    jurisdiction_id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    horizon xid8 NOT NULL,
    CONSTRAINT change_mark_pkey PRIMARY KEY (jurisdiction_id, at),
    CONSTRAINT change_mark_jurisdiction_fkey FOREIGN KEY(jurisdiction_id)
        REFERENCES jurisdiction (jurisdiction_id)
);

CREATE TABLE api_key (
    jurisdiction_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    digest BYTEA NOT NULL,
    label TEXT NOT NULL,
    contact TEXT DEFAULT '' NOT NULL,
    is_test BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_key_pkey PRIMARY KEY (jurisdiction_id, id),
    CONSTRAINT api_key_jurisdiction_id_digest_key UNIQUE (jurisdiction_id, digest)
);
CREATE INDEX api_key_digest_idx ON api_key (digest);

CREATE TABLE repeatable_post (
    jurisdiction_id TEXT NOT NULL,
    api_key_id BIGINT NOT NULL,
    client_key TEXT NOT NULL,
    digest BYTEA NOT NULL,
    request_id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT repeatable_post_pkey PRIMARY KEY (jurisdiction_id, api_key_id, client_key),
    CONSTRAINT repeatable_post_service_request_fkey FOREIGN KEY(jurisdiction_id, request_id)
        REFERENCES service_request (jurisdiction_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX repeatable_post_created_idx ON repeatable_post (created_at);
"""


# Half the time of PostgreSQL's own way, writing and reading; not every server is built with it.
COMPRESSION = """
DO $$
BEGIN
    EXECUTE 'ALTER TABLE publication
        ALTER json SET COMPRESSION lz4, ALTER xml SET COMPRESSION lz4, ALTER words SET COMPRESSION lz4,
        ALTER json_extras SET COMPRESSION lz4, ALTER xml_extras SET COMPRESSION lz4,
        ALTER bulk_csv SET COMPRESSION lz4';
EXCEPTION
    WHEN feature_not_supported OR syntax_error THEN NULL;
END $$;
"""


def upgrade() -> None:
    """Make the tables. The extensions need a superuser unless the database has them already."""
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(TABLES)
    # Renditions stay in the row while it fits a page: read by the thousand, they cost twice as much out of line.
    op.execute("ALTER TABLE publication SET (toast_tuple_target = 8160)")
    op.execute(COMPRESSION)


def downgrade() -> None:
    """Drop the tables and all that is in them; the extensions stay."""
    op.execute(
        "DROP TABLE repeatable_post, api_key, change_mark, edition, publication, request_event, reporter,"
        " request_token, service_request, service, department, jurisdiction"
    )
    op.execute("DROP SEQUENCE request_number")
