"""The tables of API keys and of idempotent POSTs."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from open311.storage.tables.columns import instant_column, metadata, text_column

api_key = Table(
    "api_key",
    metadata,
    text_column("jurisdiction_id", None),  # "*" for all jurisdictions
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the key; a key has 192 random bits
    text_column("label", None),
    text_column("contact"),
    Column("is_test", Boolean, nullable=False, server_default=text("false")),
    # Whether updates with the key may change a request's status. Without it they are comments.
    Column("may_update", Boolean, nullable=False, server_default=text("false")),
    instant_column("created_at"),
    instant_column("revoked_at", nullable=True),
    Column("is_for_staff", Boolean, nullable=False, server_default=text("false")),
    text_column("notice"),  # what all users of the app are told, such as that they should update it
    text_column("suspended_for"),  # why calls with the key are refused for now; "" for a key that works
    # A key with things may send only observations of these; empty for keys of apps.
    Column("things", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "digest"),
)
Index("api_key_digest_idx", api_key.c.digest)

# The request that a client's POST made. If the client repeats the POST within 24 hours, it gets the same answer.
repeatable_post = Table(
    "repeatable_post",
    metadata,
    text_column("jurisdiction_id", None),
    Column("api_key_id", BigInteger, nullable=False),
    text_column("client_key", None),
    Column("digest", LargeBinary, nullable=False),
    Column("request_id", BigInteger, nullable=False),
    instant_column("created_at"),
    PrimaryKeyConstraint("jurisdiction_id", "api_key_id", "client_key"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    ),
)
Index("repeatable_post_created_idx", repeatable_post.c.created_at)
