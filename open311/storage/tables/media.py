"""The tables of photos, of the media store, and of the files to delete."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from open311.storage.tables.columns import instant_column, metadata, text_column

# Photos of requests and of their updates. The files are in the media store, under the hash of the original; rows of
# the same city with the same hash share the files.
media = Table(
    "media",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("id", None),  # random; the public address has it
    Column("request_id", BigInteger),  # NULL while the photo arrives
    Column("version", BigInteger, nullable=False, server_default=text("0")),  # the version after the update
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("content_hash", LargeBinary, nullable=False),  # SHA-256 of the original
    text_column("state", None),
    text_column("reason"),
    Column("is_public", Boolean, nullable=False, server_default=text("true")),
    text_column("own_address"),  # the address of this server that the sender has called
    text_column("media_type", None),
    Column("size_bytes", BigInteger, nullable=False),
    Column("renditions", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    instant_column("created_at"),
    instant_column("prepared_at", nullable=True),
    instant_column("original_until", nullable=True),
    instant_column("kept_until", nullable=True),
    text_column("copy_of"),  # if the photo is a copy from another server: its address there
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
IS_TAKEN = "request_id IS NOT NULL"
"""Whether a request has the photo, in SQL."""

# The marker of the media store, in one row for "*". The media store has a file with the same marker.
media_store = Table(
    "media_store",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("marker", None),
    instant_column("marked_at", nullable=True),  # NULL until the file is written
    PrimaryKeyConstraint("jurisdiction_id"),
)

# Contents of erased photos whose files must be deleted. The worker deletes a row when the files are gone.
media_deletion = Table(
    "media_deletion",
    metadata,
    text_column("jurisdiction_id", None),
    Column("content_hash", LargeBinary, nullable=False),
    text_column("erasure"),  # the id of the erasure of a person; "" for others
    instant_column("asked_at"),
    PrimaryKeyConstraint("jurisdiction_id", "content_hash", "erasure"),
)
Index(
    "media_deletion_asked_idx",
    media_deletion.c.jurisdiction_id,
    media_deletion.c.asked_at,
    media_deletion.c.content_hash,
)
Index("media_deletion_erasure_idx", media_deletion.c.jurisdiction_id, media_deletion.c.erasure)
Index("media_request_idx", media.c.jurisdiction_id, media.c.request_id, media.c.position)
Index("media_content_idx", media.c.jurisdiction_id, media.c.content_hash)
Index(
    "media_arriving_idx", media.c.jurisdiction_id, media.c.created_at, postgresql_where=text("state = 'arriving'")
)
Index(
    "media_unprepared_idx",
    media.c.jurisdiction_id,
    media.c.state,
    postgresql_where=text("state IN ('waiting', 'refused')"),
)
Index(
    "media_original_idx",
    media.c.jurisdiction_id,
    media.c.original_until,
    postgresql_where=text("original_until IS NOT NULL"),
)
Index(
    "media_held_idx",
    media.c.jurisdiction_id,
    media.c.created_at,
    media.c.id,
    postgresql_where=text("state = 'held'"),
)
Index(
    "media_kept_idx",
    media.c.jurisdiction_id,
    media.c.kept_until,
    postgresql_where=text("kept_until IS NOT NULL"),
)
