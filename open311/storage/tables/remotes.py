"""The tables of neighbours with which a city federates, and of the ways that requests took between servers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from open311.storage.tables.columns import instant_column, metadata, text_column

# Where a request was before it came here: see domain.origins. A row exists only for requests of other servers.
request_origin = Table(
    "request_origin",
    metadata,
    text_column("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    Column("via", ARRAY(Text), nullable=False),
    text_column("url"),  # where the neighbour shows the request; only for pulled requests
    Column("is_trusted", Boolean, nullable=False),  # whether the hops are from a neighbour, and not from an app
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("request_origin_via_idx", request_origin.c.via, postgresql_using="gin", postgresql_where=text("is_trusted"))

# A neighbour: see domain.remotes. The key that it gave us is not stored here, but the place of the key is.
remote = Table(
    "remote",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("name", None),
    text_column("title"),
    text_column("url", None),
    text_column("remote_jurisdiction"),
    text_column("format", "json"),
    text_column("key_env"),
    text_column("key_file"),
    Column("partner_key", BigInteger, nullable=False, server_default=text("0")),
    text_column("federation_id"),
    Column("areas", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("services", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("codes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("shared", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("abilities", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("pushes", Boolean, nullable=False),
    Column("pulls", Boolean, nullable=False),
    instant_column("since"),
    instant_column("synced_at", nullable=True),
    instant_column("pulled_at", nullable=True),
    instant_column("pulled_until", nullable=True),
    instant_column("pull_due_at"),
    instant_column("pull_leased_until", nullable=True),  # NULL while nobody reads
    text_column("pull_asked"),
    Column("pull_failures", BigInteger, nullable=False, server_default=text("0")),
    text_column("cause"),
    PrimaryKeyConstraint("jurisdiction_id", "name"),
)

# The server to which the name of a neighbour belongs. The row stays when the neighbour is removed, because the ids
# that requests have at that server are stored under this name.
remote_name = Table(
    "remote_name",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("name", None),
    text_column("federation_id", None),
    PrimaryKeyConstraint("jurisdiction_id", "name"),
)

# A service of a neighbour, also one that the neighbour does not have any more.
remote_service = Table(
    "remote_service",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("remote", None),
    text_column("code", None),
    text_column("name"),
    text_column("group_name"),
    text_column("type"),
    instant_column("first_seen_at"),
    instant_column("retired_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "remote", "code"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "remote"], ["remote.jurisdiction_id", "remote.name"], ondelete="CASCADE"
    ),
)
