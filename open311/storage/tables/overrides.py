"""The tables of overrides: what admins of a city change in texts and questions, in addition to the city's files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from open311.storage.tables.columns import instant_column, metadata, text_column

# One row for each city that has or had overrides. Each process keeps the overrides in memory, and reads them again
# when the version has changed.
override_list = Table(
    "override_list",
    metadata,
    text_column("jurisdiction_id", None),
    Column("version", BigInteger, nullable=False),  # grows with each change of an override of the city
    PrimaryKeyConstraint("jurisdiction_id"),
)

catalogue_override = Table(
    "catalogue_override",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("item", None),  # such as service:es:potholes
    Column("value", JSONB, nullable=False, server_default=text("'{}'")),  # the overridden fields
    Column("base", JSONB, nullable=False, server_default=text("'{}'")),  # what the files said for these fields
    Column("version", BigInteger, nullable=False),
    text_column("actor", None),  # who has changed it last, such as staff:3
    instant_column("changed_at"),
    PrimaryKeyConstraint("jurisdiction_id", "item"),
)
