"""The table of people who say "me too" about a request."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    text,
)

from open311.storage.tables.columns import instant_column, metadata, text_column

# One person who supports one request. `person` is a digest of what names the person: see domain.supporters.
supporter = Table(
    "supporter",
    metadata,
    text_column("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    Column("api_key_id", BigInteger, nullable=False),  # 0 for people who used a page or the link of a mail
    Column("person", LargeBinary, nullable=False),  # random bytes after an erasure or the end of the retention
    instant_column("given_at", nullable=True),  # NULL if `person` is random bytes; the row is then about nobody
    PrimaryKeyConstraint("jurisdiction_id", "request_id", "api_key_id", "person"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
IS_SOMEBODY = "given_at IS NOT NULL"
"""Which rows are still about somebody."""
Index(
    "supporter_person_idx",
    supporter.c.jurisdiction_id,
    supporter.c.person,
    supporter.c.request_id,
    postgresql_where=text(IS_SOMEBODY),
)
Index(
    "supporter_known_idx",
    supporter.c.jurisdiction_id,
    supporter.c.request_id,
    postgresql_where=text(IS_SOMEBODY),
)
