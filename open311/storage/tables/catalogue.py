"""The tables of cities, departments and services. They have the names, also those of retired services."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from open311.storage.tables.columns import instant_column, metadata, text_column

jurisdiction = Table(
    "jurisdiction",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("name", None),
    text_column("digest", None),  # digest of the catalogue; if it changes, the changeset changes too
    instant_column("changeset"),
    # names the city among servers, so that a request that comes back is recognised
    Column("federation_id", Text, nullable=False, server_default=text("(gen_random_uuid())::text")),
    PrimaryKeyConstraint("jurisdiction_id"),
)

department = Table(
    "department",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("code", None),
    text_column("name", None),
    PrimaryKeyConstraint("jurisdiction_id", "code"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)

service = Table(
    "service",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("code", None),
    text_column("name", None),
    text_column("group_name"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),  # false for a retired service
    PrimaryKeyConstraint("jurisdiction_id", "code"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)
