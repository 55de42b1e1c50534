"""The tables against abuse: links to one's own request, and the block list."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from open311.storage.tables.columns import instant_column, metadata, text_column

# A link with which the reporter can read one request without a login. A request may have several.
status_link = Table(
    "status_link",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the link's secret, which has 192 random bits
    Column("request_id", BigInteger, nullable=False),
    instant_column("created_at"),
    PrimaryKeyConstraint("jurisdiction_id", "digest"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("status_link_request_idx", status_link.c.jurisdiction_id, status_link.c.request_id)

# One row, for "*". Each process keeps the blocks in memory, and reads them again when the version has changed.
block_list = Table(
    "block_list",
    metadata,
    text_column("jurisdiction_id", None),
    Column("version", BigInteger, nullable=False, server_default=text("0")),  # grows with each change of a block
    text_column("secret", None),  # for digests of blocked senders, and sealed values in addresses
    PrimaryKeyConstraint("jurisdiction_id"),
)

block = Table(
    "block",
    metadata,
    text_column("jurisdiction_id", None),  # "*" for all jurisdictions
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text_column("kind", None),  # key, address, device or email
    text_column("value", None),  # a key's number, a range of addresses, or a digest in hexadecimal digits
    text_column("reason", None),
    text_column("actor", None),  # who has added it, such as staff:3
    instant_column("created_at"),
    instant_column("expires_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "kind", "value"),
)
