"""The tables of the outbox, of held changes and of the counts of requests."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, PrimaryKeyConstraint, Table, func, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from open311.storage.tables.columns import instant_column, metadata, text_column

# One row for each change of a request, written in the same transaction. The events of the change have the same
# request_id and version.
outbox = Table(
    "outbox",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("written_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
)
Index("outbox_id_idx", outbox.c.id)

# Changes that a consumer failed on, and later changes of the same requests, which must wait.
held_change = Table(
    "held_change",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("consumer", None),
    Column("id", BigInteger, nullable=False),  # as in the outbox
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    instant_column("written_at"),
    Column("failures", BigInteger, nullable=False, server_default=text("0")),
    instant_column("due_at"),
    PrimaryKeyConstraint("jurisdiction_id", "consumer", "request_id", "id"),
)

# The number of requests by department and status, of any visibility. The dispatcher updates the numbers.
request_count = Table(
    "request_count",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("department", None),
    text_column("status", None),
    Column("requests", BigInteger, nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "department", "status"),
)
