"""The tables of updates: those that came from outside, and those that the public can read."""

from __future__ import annotations

from sqlalchemy import (
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
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from open311.storage.tables.columns import digits_of, instant_column, metadata, text_column
from open311.storage.tables.requests import HAS_PHOTOS

# Updates that came from outside, by mySociety's POST servicerequestupdates. The text is in the event.
received_update = Table(
    "received_update",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("api_key_id", BigInteger, nullable=False),
    text_column("update_id", None),  # the sender's id of the update
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # the request's version after the update
    text_column("client_key"),  # Idempotency-Key
    Column("digest", LargeBinary, nullable=False),  # digest of what was sent
    instant_column("at"),
    text_column("email"),
    text_column("first_name"),
    text_column("last_name"),
    text_column("phone"),
    text_column("account_id"),
    Column("media_urls", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("is_held", Boolean, nullable=False, server_default=false()),  # waits, because it is suspected
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "api_key_id", "update_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("received_update_request_idx", received_update.c.jurisdiction_id, received_update.c.request_id)
# The updates of a person who asks for the data that the city has, and those that still have personal data.
Index(
    "received_update_email_idx",
    received_update.c.jurisdiction_id,
    func.lower(received_update.c.email),
    postgresql_where=text("email <> ''"),
)
Index(
    "received_update_phone_idx",
    received_update.c.jurisdiction_id,
    digits_of(received_update.c.phone),
    postgresql_where=text("phone <> ''"),
)
Index(
    "received_update_account_idx",
    received_update.c.jurisdiction_id,
    received_update.c.account_id,
    postgresql_where=text("account_id <> ''"),
)
IS_PERSONAL = "(email <> '' OR first_name <> '' OR last_name <> '' OR phone <> '' OR account_id <> '')"
"""Whether a received update still says who sent it, in SQL."""
Index(
    "received_update_personal_idx",
    received_update.c.jurisdiction_id,
    received_update.c.request_id,
    postgresql_where=text(IS_PERSONAL),
)
Index(
    "received_update_photos_idx",
    received_update.c.jurisdiction_id,
    received_update.c.request_id,
    postgresql_where=text(HAS_PHOTOS),
)

Index(
    "received_update_held_idx",
    received_update.c.jurisdiction_id,
    received_update.c.request_id,
    postgresql_where=text("is_held"),
)

# What the public can read of each change of a published request, in mySociety's words.
public_update = Table(
    "public_update",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # the request's version after the change
    instant_column("at"),  # when the change was recorded here
    text_column("status", None),  # mySociety's word after the change
    text_column("description"),
    text_column("media_url"),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("public_update_at_idx", public_update.c.jurisdiction_id, public_update.c.at, public_update.c.id)
Index("public_update_request_idx", public_update.c.jurisdiction_id, public_update.c.request_id)
HAS_PHOTO = "media_url <> ''"
"""Whether a public update has the address of a photo, in SQL."""
Index(
    "public_update_photo_idx",
    public_update.c.jurisdiction_id,
    public_update.c.request_id,
    postgresql_where=text(HAS_PHOTO),
)
