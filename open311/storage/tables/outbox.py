"""What still has to follow from changes of requests, and how many requests there are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, PrimaryKeyConstraint, Table

from open311.storage.tables.columns import metadata, text_column

# One row for each change of a request, written with the change. Its events have the same request_id and version.
outbox = Table(
    "outbox",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
)
Index("outbox_id_idx", outbox.c.id)

# Requests by department and status, whatever their visibility; the dispatcher keeps it.
request_count = Table(
    "request_count",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("department", None),
    text_column("status", None),
    Column("requests", BigInteger, nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "department", "status"),
)
